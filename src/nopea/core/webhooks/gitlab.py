"""Deliveries of GitLab: push and tag push of a project, a group or the instance."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from nopea.core.api.spec import Provider
from nopea.core.webhooks.body import decode
from nopea.core.webhooks.delivery import (
    Delivery,
    FullRef,
    Oid,
    PushedCommit,
    RefChange,
    RefUpdates,
    changed_paths,
    delivery_of,
    event_of,
    first_id,
    is_zero,
    moved,
    urls_of,
)

_PUSHES = frozenset({"push", "tag_push"})
_EVENTS = frozenset({"Push Hook", "Tag Push Hook", "System Hook"})


class _GitLabEvent(msgspec.Struct, frozen=True):
    object_kind: str | None = None
    event_name: str | None = None


class _Project(msgspec.Struct, frozen=True):
    web_url: str | None = None
    git_http_url: str | None = None
    git_ssh_url: str | None = None
    default_branch: str | None = None


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
    return delivery_of(Provider.GITLAB, event, delivery_id, _read(event, body))


def _read(event: str, body: bytes) -> RefUpdates | None:
    if event not in _EVENTS or not _is_push(event, body):
        return None
    push = decode(body, _GitLabPush)
    urls = urls_of(push.project.git_http_url, push.project.git_ssh_url, push.project.web_url)
    return RefUpdates(urls, _changes(push), push.project.default_branch or "")


def _is_push(event: str, body: bytes) -> bool:
    """Return whether it is a push; hooks of an instance have the event only in the body."""
    if event != "System Hook":
        return True
    kind = decode(body, _GitLabEvent)
    return (kind.object_kind or kind.event_name) in _PUSHES


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
