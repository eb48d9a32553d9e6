"""What the providers' bodies have in common: object ids, ref names, commits with their files, delivery ids.

Pure values; which provider says what is in the provider's own file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from nopea.core.api.spec import Provider
from nopea.core.webhooks.delivery import Delivery, PushedRefKind, RefChange

# Patterns end in \Z, not $: Python's $ also matches before a last newline.
Oid = Annotated[str, Meta(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})\Z")]
RefName = Annotated[str, Meta(min_length=1, max_length=1024, pattern=r"^[^\x00-\x20\x7f]+\Z")]
FullRef = Annotated[str, Meta(min_length=1, max_length=1024, pattern=r"^refs/[^\x00-\x20\x7f]+\Z")]

NOT_ABOUT_REFS = "the event is about no branch or tag"
NOTHING_MOVED = "no branch or tag changed"

KINDS = {kind.value: kind for kind in PushedRefKind}
"""What a ref is, by the word of those who give its short name."""

_BRANCHES, _TAGS = "refs/heads/", "refs/tags/"
_MAX_PATHS = 10_000
_MAX_ID = 256
_MAX_URL = 2048
_MAX_URLS = 16
_PRINTABLE = re.compile(r"[\x21-\x7e]+")


class PushedCommit(msgspec.Struct, frozen=True):
    """A commit in a push; a list that is missing or null is unknown."""

    added: tuple[str, ...] | None = None
    removed: tuple[str, ...] | None = None
    modified: tuple[str, ...] | None = None


class Head(msgspec.Struct, frozen=True):
    """The commit that a push ends at."""

    id: Oid


class Told(NamedTuple):
    """What a body that is about refs says."""

    urls: tuple[str, ...]
    changes: tuple[RefChange, ...]


def delivery_of(
    provider: Provider, event: str, delivery_id: str, told: Told | None, *, ping: bool = False
) -> Delivery:
    """Return the delivery, and why it is ignored where it told nothing (None: its body was not read)."""
    if told is None:
        why = "ping" if ping else NOT_ABOUT_REFS
        return Delivery(provider, event, delivery_id, urls=(), changes=(), ignored=why)
    why = "" if told.changes else NOTHING_MOVED
    return Delivery(provider, event, delivery_id, told.urls, told.changes, ignored=why)


def is_zero(oid: str) -> bool:
    """Whether the id stands for nothing: all zeros, in either hash."""
    return not oid.strip("0")


def split_ref(ref: str) -> tuple[PushedRefKind, str] | None:
    """Return what a full ref names, or None when it is neither branch nor tag (notes, a pull request)."""
    for prefix, kind in ((_BRANCHES, PushedRefKind.BRANCH), (_TAGS, PushedRefKind.TAG)):
        if ref.startswith(prefix) and len(ref) > len(prefix):
            return kind, ref.removeprefix(prefix)
    return None


def moved(ref: str, oid: str | None, *, paths: frozenset[str] | None = None) -> tuple[RefChange, ...]:
    """Return the one change of a ref that now is at `oid` (zeros: deleted), or none for other refs."""
    found = split_ref(ref)
    if found is None:
        return ()
    kind, name = found
    if oid is not None and is_zero(oid):
        return (RefChange(kind, name, None, deleted=True),)
    return (RefChange(kind, name, oid, paths=paths),)


def changed_paths(commits: Iterable[PushedCommit]) -> frozenset[str] | None:
    """Return every file that the commits touch, or None when one of them does not tell or they are too many.

    A commit without any file counts as one that does not tell: that is how merges are often listed.
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
    """Return the first of these headers that can serve as an id, or an empty text."""
    return next((value for name in names if (value := usable_id(headers.get(name, "")))), "")


def usable_id(text: str) -> str:
    """Return the id, or an empty text when it is no short printable word: two cut ids might be equal."""
    return text if len(text) <= _MAX_ID and _PRINTABLE.fullmatch(text) else ""


def event_of(headers: Mapping[str, str], name: str) -> str:
    """Return the event that a header names, fit for a log."""
    return loggable(headers.get(name, ""))


def loggable(text: str, *, longest: int = 64) -> str:
    """Return the text short and in printable ASCII, whatever was sent."""
    return "".join(char if " " <= char <= "~" else "?" for char in text[:longest])


def urls_of(*candidates: str | None) -> tuple[str, ...]:
    """Return the URLs that are given, each once; no provider has more than a few."""
    return tuple(dict.fromkeys(url for url in candidates if url and len(url) <= _MAX_URL))[:_MAX_URLS]
