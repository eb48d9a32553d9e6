"""Whether what somebody asked for has been done, and how it ended: read from a GitRepository. Pure."""

from __future__ import annotations

import enum
from typing import Protocol

from nopea.core.api.conditions import READY, RECONCILING, STALLED, find
from nopea.core.api.repository import Repository
from nopea.core.api.status import GitRepositoryStatus, Phase
from nopea.core.problem import Code
from nopea.core.status.report import Result
from nopea.core.status.rollback import has_moved


class RequestProgress(enum.StrEnum):
    """How the pass that handled a request ended."""

    SYNCED = "synced"
    FAILED = "failed"
    SUSPENDED = "suspended"
    REPLACED = "replaced"  # somebody else asked for something else meanwhile


class UserRequest(Protocol):
    """Something that a person asked the controller for."""

    def verdict(self, repository: Repository) -> RequestProgress | None:
        """Return how it ended, or None while it has not; call it with each later version."""
        ...


class SyncRequest:
    """One value of `nopea.io/sync-requested-at` that was set, until a pass answers it.

    When others ask at the same time, the pass may handle their later value instead: it looked at the world
    after both. So every value that is seen in the annotation after this one answers it too; they are kept,
    one for each look at most.
    """

    def __init__(self, value: str) -> None:
        self._answers = {value}

    def verdict(self, repository: Repository) -> RequestProgress | None:
        """Return how it ended, or None while it is not handled."""
        self._answers.add(repository.sync_requested_at)
        if repository.status.last_handled_sync_at not in self._answers - {""}:
            return None
        return verdict_of(repository.status)


class PinRequest:
    """A rollback to a commit, or with an empty one back to what the spec names, until a pass has told of it.

    It is no request for a sync, which would put drift right as well, whatever the policy.
    """

    def __init__(self, commit: str) -> None:
        self._commit = commit

    def verdict(self, repository: Repository) -> RequestProgress | None:
        """Return how it ended, or None while no pass has told of it."""
        if repository.rollback_to != self._commit or repository.pin_problem is not None:
            return RequestProgress.REPLACED
        status = repository.status
        is_unread = any(error.code == Code.ROLLBACK_INVALID for error in status.errors)
        if is_unread or has_moved(status.conditions, repository.pin):
            return None
        return verdict_of(status)


def verdict_of(status: GitRepositoryStatus) -> RequestProgress:
    """Return how the last pass of note ended; one that handles a request always is of note.

    The phase alone does not tell: the next pass may be under way already.
    """
    if status.phase is Phase.SUSPENDED:
        return RequestProgress.SUSPENDED
    if status.history:
        return (
            RequestProgress.SYNCED if status.history[0].outcome == Result.SYNCED else RequestProgress.FAILED
        )
    return RequestProgress.SYNCED if status.phase is Phase.SYNCED else RequestProgress.FAILED


def stage_of(status: GitRepositoryStatus) -> str:
    """Say what the controller is doing, as far as the status tells; empty when it tells nothing."""
    stalled = find(status.conditions, STALLED)
    if stalled is not None and stalled.reason == "WorkerCrashed":
        return stalled.message
    running = find(status.conditions, RECONCILING)
    if running is not None and running.reason == "Progressing":
        ready = find(status.conditions, READY)
        return f"{status.phase}: {ready.message if ready else running.message}"
    return ""
