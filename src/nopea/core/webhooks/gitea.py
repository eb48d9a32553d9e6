"""Deliveries of Gitea and Forgejo: push, create, delete and pull_request. They do not mark forced pushes."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from nopea.core.api.spec import Provider
from nopea.core.webhooks.body import decode
from nopea.core.webhooks.delivery import (
    Delivery,
    FullRef,
    Head,
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
)
from nopea.core.webhooks.github import (
    PULL_REQUEST,
    _GitHubRepository,
    commit_of,
    extract_pull_request,
    ref_updates_of,
)


class _GiteaPush(msgspec.Struct, frozen=True):
    ref: FullRef
    before: Oid
    after: Oid
    repository: _GitHubRepository
    commits: tuple[PushedCommit, ...] | None = None
    total_commits: int | None = None
    head_commit: Head | None = None


def extract(headers: Mapping[str, str], body: bytes) -> Delivery:
    """Return an authenticated delivery; raises RefusedError for an invalid body."""
    event = event_of(headers, "x-forgejo-event") or event_of(headers, "x-gitea-event")
    delivery_id = first_id(headers, "x-forgejo-delivery", "x-gitea-delivery")
    if event == PULL_REQUEST:
        return extract_pull_request(Provider.GITEA, delivery_id, headers, body)
    return delivery_of(Provider.GITEA, event, delivery_id, ref_updates_of(event, headers, body, push=_push))


def _push(text: bytes) -> RefUpdates:
    push = decode(text, _GiteaPush)
    return RefUpdates(push.repository.urls, _changes(push), push.repository.default_branch or "")


def _changes(push: _GiteaPush) -> tuple[RefChange, ...]:
    if is_zero(push.after):
        return moved(push.ref, push.after)
    return moved(push.ref, commit_of(push.ref, push.after, push.head_commit), paths=_paths(push))


def _paths(push: _GiteaPush) -> frozenset[str] | None:
    commits = push.commits or ()
    is_whole = push.total_commits == len(commits) and not is_zero(push.before)
    return changed_paths(commits) if is_whole else None
