"""Decide from a GitRepository whether the controller has handled a user's request, and with which result."""

from __future__ import annotations

import enum
from datetime import UTC, datetime
from typing import Protocol

from nopea.core.api.conditions import READY, RECONCILING, STALLED, SUSPENDED, find
from nopea.core.api.repository import Repository
from nopea.core.api.status import GitRepositoryStatus
from nopea.core.api.times import format_micro_time
from nopea.core.problem import Code
from nopea.core.status.report import Result
from nopea.core.status.rollback import has_moved


class RequestProgress(enum.StrEnum):
    """The result of the sync that handled a request."""

    SYNCED = "synced"
    FAILED = "failed"
    SUSPENDED = "suspended"
    PLANNED = "planned"  # the controller runs read-only
    REPLACED = "replaced"  # another user has changed the request since


class UserRequest(Protocol):
    """A request to the controller, made by an annotation."""

    def verdict(self, repository: Repository) -> RequestProgress | None:
        """Return the result, or None while there is none; call it with each later version."""
        ...

    def replaced(self, repository: Repository) -> str:
        """Return in a sentence what has replaced the request."""
        ...


class SyncRequest:
    """One value of `nopea.io/sync-requested-at`, until a sync has handled it.

    When several users request a sync, only the latest value is handled, by a sync that started after all of
    them. So each later value of the annotation that is seen here counts as this request's too.
    """

    def __init__(self, value: str) -> None:
        self._values = {value}

    def verdict(self, repository: Repository) -> RequestProgress | None:
        """Return the result, or None while it is not handled."""
        self._values.add(repository.sync_requested_at)
        if repository.status.last_handled_sync_at not in self._values - {""}:
            return None
        return verdict_of(repository.status)

    def replaced(self, repository: Repository) -> str:
        """Return a sentence; a later request counts as this one, so that it is never needed."""
        del repository
        return "Another user has requested a sync."


class HealRequest:
    """One value of `nopea.io/heal-requested`, until a sync has handled it or another request has come."""

    def __init__(self, value: str) -> None:
        self._value = value

    def verdict(self, repository: Repository) -> RequestProgress | None:
        """Return the result, or None while it is not handled."""
        if repository.status.last_handled_heal_at == self._value:
            return verdict_of(repository.status)
        return RequestProgress.REPLACED if repository.heal_requested != self._value else None

    def replaced(self, repository: Repository) -> str:
        """Return which request has replaced this one."""
        _, _, named = repository.heal_requested.partition(" ")
        return f"Another user has requested to heal {named or 'all objects'}; this request is not handled."


class PinRequest:
    """A rollback to a commit, or the end of a rollback if `commit` is empty, until the status reports it.

    Unlike a SyncRequest it does not revert drift that the policy leaves.
    """

    def __init__(self, commit: str) -> None:
        self._commit = commit

    def verdict(self, repository: Repository) -> RequestProgress | None:
        """Return the result, or None while no sync has reported it."""
        if repository.rollback_to != self._commit or repository.pin_problem is not None:
            return RequestProgress.REPLACED
        status = repository.status
        is_invalid = any(error.code == Code.ROLLBACK_INVALID for error in status.errors)
        if is_invalid or has_moved(status.conditions, repository.pin):
            return None
        return verdict_of(status)

    def replaced(self, repository: Repository) -> str:
        """Return to which commit it is pinned now."""
        now = f"It follows {repository.follows or 'the ref in its spec'}."
        if repository.rollback_to:
            now = f"It is pinned to {repository.rollback_to}."
        return f"Another user has changed the rollback. {now}"


def request_value() -> str:
    """Return a value for a request's annotation: RFC 3339 with microseconds, so that two requests differ."""
    return format_micro_time(datetime.now(UTC))


def verdict_of(status: GitRepositoryStatus) -> RequestProgress:
    """Return the result of the last sync in the history, which lists each sync that handled a request.

    The conditions are not enough: the next sync may have started already.
    """
    if find(status.conditions, SUSPENDED) is not None:
        return RequestProgress.SUSPENDED
    if status.history and status.history[0].outcome == Result.PLANNED:
        return RequestProgress.PLANNED
    is_synced = bool(status.history) and status.history[0].outcome == Result.SYNCED
    return RequestProgress.SYNCED if is_synced else RequestProgress.FAILED


def stage_of(status: GitRepositoryStatus) -> str:
    """Return what the controller is doing according to the status; empty if the status does not say."""
    stalled = find(status.conditions, STALLED)
    if stalled is not None and stalled.reason == "WorkerCrashed":
        return stalled.message
    running = find(status.conditions, RECONCILING)
    if running is not None and running.reason == "Progressing":
        ready = find(status.conditions, READY)
        return ready.message if ready else running.message
    return ""
