"""Deliveries of GitHub: push, create, delete, pull_request and ping."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from nopea.core.api.spec import Provider
from nopea.core.webhooks.body import decode, payload_of
from nopea.core.webhooks.delivery import (
    FROM_A_FORK,
    KINDS,
    NO_NEW_COMMIT,
    Delivery,
    FullRef,
    Head,
    Number,
    Oid,
    PullRequest,
    PushedCommit,
    PushedRefKind,
    RefChange,
    RefName,
    RefUpdates,
    changed_paths,
    delivery_of,
    event_of,
    first_id,
    is_zero,
    moved,
    pull_request_delivery,
    urls_of,
)

PULL_REQUEST = "pull_request"
_MAX_COMMITS = 2048  # GitHub lists no more; a list of that length may be cut
_NEW_COMMIT = frozenset({"opened", "reopened", "synchronize", "synchronized"})  # the last is Gitea's


class _GitHubRepository(msgspec.Struct, frozen=True):
    """The repository in the bodies of GitHub and Gitea."""

    html_url: str | None = None
    clone_url: str | None = None
    ssh_url: str | None = None
    git_url: str | None = None
    default_branch: str | None = None

    @property
    def urls(self) -> tuple[str, ...]:
        """All its URLs."""
        return urls_of(self.clone_url, self.ssh_url, self.html_url, self.git_url)


class NamedRef(msgspec.Struct, frozen=True):
    """The body of `create` and `delete` at GitHub and Gitea, with the short name of the ref."""

    ref: RefName
    ref_type: str
    repository: _GitHubRepository
    sha: Oid | None = None

    def changes(self, *, deleted: bool) -> tuple[RefChange, ...]:
        """Return the change of the ref; the creation of a repository (old GitHub) has none."""
        kind = KINDS.get(self.ref_type)
        if kind is None:
            return ()
        commit = self.sha if kind is PushedRefKind.BRANCH and not deleted else None
        return (RefChange(kind, self.ref, commit, deleted=deleted),)


class _GitHubPush(msgspec.Struct, frozen=True):
    ref: FullRef
    before: Oid
    after: Oid
    repository: _GitHubRepository
    created: bool = False
    deleted: bool = False
    forced: bool = False
    commits: tuple[PushedCommit, ...] = ()
    head_commit: Head | None = None


class _Identified(msgspec.Struct, frozen=True):
    id: int


class _PullHead(msgspec.Struct, frozen=True):
    ref: RefName
    sha: Oid
    repo: _Identified | None = None


class _PullBase(msgspec.Struct, frozen=True):
    ref: RefName
    repo: _Identified


class _Pull(msgspec.Struct, frozen=True):
    head: _PullHead
    base: _PullBase


class _PullRequestAction(msgspec.Struct, frozen=True):
    action: str


class _PullRequestBody(msgspec.Struct, frozen=True):
    number: Number
    pull_request: _Pull
    repository: _GitHubRepository


def extract(headers: Mapping[str, str], body: bytes) -> Delivery:
    """Return an authenticated delivery of GitHub; raises RefusedError for an invalid body."""
    event, delivery_id = event_of(headers, "x-github-event"), first_id(headers, "x-github-delivery")
    if event == PULL_REQUEST:
        return extract_pull_request(Provider.GITHUB, delivery_id, headers, body)
    updates = ref_updates_of(event, headers, body, push=_push)
    return delivery_of(Provider.GITHUB, event, delivery_id, updates, ping=event == "ping")


def extract_pull_request(
    provider: Provider, delivery_id: str, headers: Mapping[str, str], body: bytes
) -> Delivery:
    """Return a delivery about a pull request of GitHub or Gitea; one that has no new commit is not read."""
    text = payload_of(headers, body)
    if decode(text, _PullRequestAction).action not in _NEW_COMMIT:
        return pull_request_delivery(provider, PULL_REQUEST, delivery_id, (), NO_NEW_COMMIT)
    sent = decode(text, _PullRequestBody)
    head, base = sent.pull_request.head, sent.pull_request.base
    found = PullRequest(number=sent.number, branch=head.ref, base=base.ref, commit=head.sha)
    return pull_request_delivery(
        provider,
        PULL_REQUEST,
        delivery_id,
        sent.repository.urls,
        found if head.repo == base.repo else FROM_A_FORK,  # of a fork that was deleted, there is none
        default_branch=sent.repository.default_branch or "",
    )


def ref_updates_of(
    event: str, headers: Mapping[str, str], body: bytes, *, push: Callable[[bytes], RefUpdates]
) -> RefUpdates | None:
    """Return the updates of an event of GitHub or Gitea, whose pushes differ; None without a ref."""
    match event:
        case "push":
            return push(payload_of(headers, body))
        case "create" | "delete":
            named = decode(payload_of(headers, body), NamedRef)
            return RefUpdates(
                named.repository.urls,
                named.changes(deleted=event == "delete"),
                named.repository.default_branch or "",
            )
        case _:
            return None


def _push(text: bytes) -> RefUpdates:
    push = decode(text, _GitHubPush)
    return RefUpdates(push.repository.urls, _changes(push), push.repository.default_branch or "")


def _changes(push: _GitHubPush) -> tuple[RefChange, ...]:
    if push.deleted or is_zero(push.after):
        return moved(push.ref, "0" * len(push.after))
    return moved(push.ref, commit_of(push.ref, push.after, push.head_commit), paths=_paths(push))


def commit_of(ref: str, after: str, head: Head | None) -> str | None:
    """Return the pushed commit; `after` of an annotated tag is the tag object, not the commit."""
    if head is not None:
        return head.id
    return None if ref.startswith("refs/tags/") else after


def _paths(push: _GitHubPush) -> frozenset[str] | None:
    is_whole = not (push.forced or push.created or is_zero(push.before)) and len(push.commits) < _MAX_COMMITS
    return changed_paths(push.commits) if is_whole else None
