"""Deliveries of GitLab: push, tag push and merge request of a project, a group or the instance."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from nopea.core.api.spec import Provider
from nopea.core.webhooks.body import decode
from nopea.core.webhooks.delivery import (
    FROM_A_FORK,
    NO_NEW_COMMIT,
    Delivery,
    FullRef,
    Head,
    Number,
    Oid,
    PullRequest,
    PushedCommit,
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

_SYSTEM = "System Hook"
_PUSHES = frozenset({"push", "tag_push"})
_EVENTS = frozenset({"Push Hook", "Tag Push Hook", _SYSTEM})
_MERGE_REQUEST = "Merge Request Hook"


class _GitLabEvent(msgspec.Struct, frozen=True):
    object_kind: str | None = None
    event_name: str | None = None


class _Project(msgspec.Struct, frozen=True):
    web_url: str | None = None
    git_http_url: str | None = None
    git_ssh_url: str | None = None
    default_branch: str | None = None

    @property
    def urls(self) -> tuple[str, ...]:
        """All its URLs."""
        return urls_of(self.git_http_url, self.git_ssh_url, self.web_url)


class _MergeRequest(msgspec.Struct, frozen=True):
    iid: Number
    source_branch: RefName
    target_branch: RefName
    source_project_id: int | None
    target_project_id: int
    last_commit: Head


class _Action(msgspec.Struct, frozen=True):
    action: str | None = None
    oldrev: str | None = None

    @property
    def is_new_commit(self) -> bool:
        """An update without an older commit is about the title, labels and the like."""
        return self.action in ("open", "reopen") or (self.action == "update" and bool(self.oldrev))


class _MergeRequestAction(msgspec.Struct, frozen=True):
    object_attributes: _Action


class _MergeRequestBody(msgspec.Struct, frozen=True):
    project: _Project
    object_attributes: _MergeRequest


class _GitLabPush(msgspec.Struct, frozen=True):
    ref: FullRef
    before: Oid
    after: Oid
    project: _Project
    checkout_sha: Oid | None = None
    commits: tuple[PushedCommit, ...] = ()
    total_commits_count: int | None = None


def extract(headers: Mapping[str, str], body: bytes) -> Delivery:
    """Return an authenticated delivery of GitLab; raises RefusedError for an invalid body."""
    event = event_of(headers, "x-gitlab-event")
    delivery_id = first_id(headers, "idempotency-key", "webhook-id")
    if event == _MERGE_REQUEST or (event == _SYSTEM and _kind(body) == "merge_request"):
        return _merge_request(event, delivery_id, body)
    return delivery_of(Provider.GITLAB, event, delivery_id, _read(event, body))


def _read(event: str, body: bytes) -> RefUpdates | None:
    if event not in _EVENTS or not _is_push(event, body):
        return None
    push = decode(body, _GitLabPush)
    return RefUpdates(push.project.urls, _changes(push), push.project.default_branch or "")


def _is_push(event: str, body: bytes) -> bool:
    """Return whether it is a push; hooks of an instance have the event only in the body."""
    return event != _SYSTEM or _kind(body) in _PUSHES


def _kind(body: bytes) -> str | None:
    kind = decode(body, _GitLabEvent)
    return kind.object_kind or kind.event_name


def _merge_request(event: str, delivery_id: str, body: bytes) -> Delivery:
    if not decode(body, _MergeRequestAction).object_attributes.is_new_commit:
        return pull_request_delivery(Provider.GITLAB, event, delivery_id, (), NO_NEW_COMMIT)
    sent = decode(body, _MergeRequestBody)
    request = sent.object_attributes
    found = PullRequest(
        number=request.iid,
        branch=request.source_branch,
        base=request.target_branch,
        commit=request.last_commit.id,
    )
    return pull_request_delivery(
        Provider.GITLAB,
        event,
        delivery_id,
        sent.project.urls,
        found if request.source_project_id == request.target_project_id else FROM_A_FORK,
        default_branch=sent.project.default_branch or "",
    )


def _changes(push: _GitLabPush) -> tuple[RefChange, ...]:
    if is_zero(push.after):
        return moved(push.ref, push.after)
    # `after` of an annotated tag is the tag object
    after = None if push.ref.startswith("refs/tags/") else push.after
    return moved(push.ref, push.checkout_sha or after, paths=_paths(push))


def _paths(push: _GitLabPush) -> frozenset[str] | None:
    """Return the changed files; None if GitLab does not list all commits, for it lists only the newest 20.

    Files that a forced push reverts are in no list, and GitLab does not mark forced pushes: a poll finds
    them.
    """
    is_whole = push.total_commits_count == len(push.commits) and not is_zero(push.before)
    return changed_paths(push.commits) if is_whole else None
