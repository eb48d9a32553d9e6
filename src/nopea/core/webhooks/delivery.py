"""A webhook delivery as a value, and the parts of which every provider's body consists.

A delivery is a hint that something changed: its commit is for the log, the truth comes from Git. Pure; what a
provider sends is in the provider's own file.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from nopea.core.api.spec import Provider

# Patterns end in \Z, not $: Python's $ also matches before a last newline.
Number = Annotated[int, Meta(ge=1, le=2**53)]
Oid = Annotated[str, Meta(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})\Z")]
RefName = Annotated[str, Meta(min_length=1, max_length=1024, pattern=r"^[^\x00-\x20\x7f]+\Z")]
FullRef = Annotated[str, Meta(min_length=1, max_length=1024, pattern=r"^refs/[^\x00-\x20\x7f]+\Z")]

NOT_ABOUT_REFS = "not a push of a branch or tag"
NOTHING_MOVED = "no branch or tag changed"
FROM_A_FORK = "pull request of a fork"
NO_NEW_COMMIT = "pull request without a new commit"

_BRANCHES, _TAGS = "refs/heads/", "refs/tags/"
_MAX_PATHS = 10_000
_MAX_ID = 256
_MAX_URL = 2048
_MAX_URLS = 16
_PRINTABLE = re.compile(r"[\x21-\x7e]+")


class PushedRefKind(enum.StrEnum):
    """The kind of a pushed ref."""

    BRANCH = "branch"
    TAG = "tag"


@dataclass(frozen=True, slots=True)
class RefChange:
    """One branch or tag that was created, moved or deleted.

    `commit` is None for a deleted ref, and if the provider does not name it. `paths` are all the files that
    the push changed; None is unknown, and concerns every repository.
    """

    kind: PushedRefKind
    name: str
    commit: str | None
    deleted: bool = False
    paths: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request, or merge request, that has a new commit in a branch of the repository itself.

    `branch` is to be merged into `base`. As with pushes, `commit` is a hint: Git says what is in the branch.
    """

    number: int
    branch: str
    base: str
    commit: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One authenticated delivery.

    `id` is the same when the provider sends the delivery again, or empty if it has none. `urls` are the URLs
    of the repository, unchanged. `ignored` says why there is nothing to do, or is empty. A `bare` delivery
    says that something changed, but not what: it has no changes. `default_branch` is the short name of the
    repository's default branch; empty if the provider does not send it. A delivery about a `pull_request`
    has no changes.
    """

    provider: Provider
    event: str
    id: str
    urls: tuple[str, ...]
    changes: tuple[RefChange, ...]
    ignored: str = ""
    bare: bool = False
    default_branch: str = ""
    pull_request: PullRequest | None = None


KINDS = {kind.value: kind for kind in PushedRefKind}
"""The kinds by the words of providers that send short names."""


class PushedCommit(msgspec.Struct, frozen=True):
    """A commit of a push; a list that is missing or null is unknown."""

    added: tuple[str, ...] | None = None
    removed: tuple[str, ...] | None = None
    modified: tuple[str, ...] | None = None


class Head(msgspec.Struct, frozen=True):
    """The last commit of a push."""

    id: Oid


class RefUpdates(NamedTuple):
    """The repository and its ref changes in a body; `default_branch` as in a Delivery."""

    urls: tuple[str, ...]
    changes: tuple[RefChange, ...]
    default_branch: str = ""


def delivery_of(
    provider: Provider, event: str, delivery_id: str, updates: RefUpdates | None, *, ping: bool = False
) -> Delivery:
    """Return the delivery; it is ignored without updates (None: its body was not read)."""
    if updates is None:
        why = "ping" if ping else NOT_ABOUT_REFS
        return Delivery(provider, event, delivery_id, urls=(), changes=(), ignored=why)
    why = "" if updates.changes else NOTHING_MOVED
    return Delivery(
        provider, event, delivery_id, updates.urls, updates.changes,
        ignored=why, default_branch=updates.default_branch,
    )  # fmt: skip


def pull_request_delivery(
    provider: Provider,
    event: str,
    delivery_id: str,
    urls: tuple[str, ...],
    pull_request: PullRequest | str,
    *,
    default_branch: str = "",
) -> Delivery:
    """Return a delivery about a pull request; a text says why there is nothing to do."""
    delivery = Delivery(provider, event, delivery_id, urls, changes=(), default_branch=default_branch)
    if isinstance(pull_request, str):
        return replace(delivery, ignored=pull_request)
    return replace(delivery, pull_request=pull_request)


def is_zero(oid: str) -> bool:
    """Return whether the id is all zeros, which means that there is no commit."""
    return not oid.strip("0")


def split_ref(ref: str) -> tuple[PushedRefKind, str] | None:
    """Return kind and short name of a full ref; None for notes, pull requests and the like."""
    for prefix, kind in ((_BRANCHES, PushedRefKind.BRANCH), (_TAGS, PushedRefKind.TAG)):
        if ref.startswith(prefix) and len(ref) > len(prefix):
            return kind, ref.removeprefix(prefix)
    return None


def moved(ref: str, oid: str | None, *, paths: frozenset[str] | None = None) -> tuple[RefChange, ...]:
    """Return the change of a ref to `oid` (zeros: deleted); nothing for refs that are not branch or tag."""
    parts = split_ref(ref)
    if parts is None:
        return ()
    kind, name = parts
    if oid is not None and is_zero(oid):
        return (RefChange(kind, name, None, deleted=True),)
    return (RefChange(kind, name, oid, paths=paths),)


def changed_paths(commits: Iterable[PushedCommit]) -> frozenset[str] | None:
    """Return every file that the commits change; None if a commit does not list them or there are too many.

    A commit without files counts as one that does not list them: merges are often sent like that.
    """
    paths: set[str] = set()
    for commit in commits:
        lists = (commit.added, commit.removed, commit.modified)
        if not any(lists) or None in lists:
            return None
        for files in lists:
            paths.update(files or ())
        if len(paths) > _MAX_PATHS:
            return None
    return frozenset(paths) or None


def first_id(headers: Mapping[str, str], *names: str) -> str:
    """Return the first usable id of these headers, or an empty string."""
    return next((value for name in names if (value := usable_id(headers.get(name, "")))), "")


def usable_id(text: str) -> str:
    """Return the id, or an empty string if it is too long or not printable."""
    return text if len(text) <= _MAX_ID and _PRINTABLE.fullmatch(text) else ""


def event_of(headers: Mapping[str, str], name: str) -> str:
    """Return the event in a header, fit for a log."""
    return loggable(headers.get(name, ""))


def loggable(text: str, *, longest: int = 64) -> str:
    """Return the string truncated and in printable ASCII."""
    return "".join(char if " " <= char <= "~" else "?" for char in text[:longest])


def urls_of(*candidates: str | None) -> tuple[str, ...]:
    """Return the given URLs without duplicates; no provider has more than a few."""
    return tuple(dict.fromkeys(url for url in candidates if url and len(url) <= _MAX_URL))[:_MAX_URLS]
