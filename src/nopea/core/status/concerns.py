"""What somebody should know of a GitRepository, worst first, as its status tells. Pure."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from nopea.core.api.conditions import (
    CONTENDED,
    HEALTHY,
    READY,
    ROLLED_BACK,
    SUSPENDED,
    WATCHING,
    find,
)
from nopea.core.api.entries import Condition, DriftEntry, StatusError
from nopea.core.api.repository import Repository
from nopea.core.api.status import GitRepositoryStatus
from nopea.core.api.times import parse_time
from nopea.core.drift.find import who
from nopea.core.git.source import SHORT_COMMIT
from nopea.core.health.rules import HealthStatus
from nopea.core.plan.model import Reason
from nopea.core.problem import Code, Problem
from nopea.core.status.conditions import NOT_HEALTHY
from nopea.core.status.drifts import why_left
from nopea.core.status.object_states import SyncStatus, unpack_states
from nopea.core.status.read_only import is_read_only

_FIELDS = 3
_WAITING = frozenset({Code.DEPENDENCY_NOT_READY.value})
"""For one that does not exist, somebody must do something: create it, or correct the spec."""
_PLANNED = f"left: {Reason.READ_ONLY}"
_PROTECTED = f"left: {Reason.BREAK_GLASS}"
_SPEC_INVALID = "Correct the spec."


class ConcernKind(enum.StrEnum):
    """What is the matter, in the order in which to look at it."""

    FAILING = "failing"
    UNHEALTHY = "unhealthy"
    CONTENDED = "contended"
    DRIFTED = "drifted"
    WAITING = "waiting"
    """It continues when another GitRepository does, a rollout, or the controller."""
    SUSPENDED = "suspended"
    ROLLED_BACK = "rolled back"
    READ_ONLY = "read-only"
    """Nopea only plans."""
    UNWATCHED = "not watched"
    """Changes in the cluster are noticed late."""

    @property
    def needs_somebody(self) -> bool:
        """Whether a person should do something about it; nobody undoes what somebody wants."""
        return self in (
            ConcernKind.FAILING,
            ConcernKind.UNHEALTHY,
            ConcernKind.CONTENDED,
            ConcernKind.DRIFTED,
        )


ORDER = tuple(ConcernKind)
UNSEEN = timedelta(minutes=5)
"""How long a new GitRepository may wait for its first look: a controller that watches it takes seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """One thing to know: what, where and what to do. `since` is a time as Kubernetes writes it, or empty."""

    kind: ConcernKind
    message: str
    hint: str = ""
    code: str = ""
    source: str = ""
    object: str = ""
    since: str = ""


def concerns_of(repository: Repository, *, now: datetime | None = None) -> tuple[Concern, ...]:
    """Return everything that somebody should know, worst first; empty when all is well.

    With `now`, a GitRepository that no controller has looked at for longer than `UNSEEN` is failing.
    """
    found = [
        *_unseen(repository, now),
        *_failures(repository),
        *_unhealthy(repository),
        *_drifts(repository),
        *_others(repository),
    ]
    return tuple(sorted(found, key=lambda each: ORDER.index(each.kind)))


def _unseen(repository: Repository, now: datetime | None) -> Iterator[Concern]:
    if find(repository.status.conditions, READY) is not None:
        return
    created = parse_time(repository.created)
    is_late = now is not None and created is not None and now - created > UNSEEN
    yield Concern(
        kind=ConcernKind.FAILING if is_late else ConcernKind.WAITING,
        message="The controller has not looked at it yet.",
        hint="Check that `nopea run` runs and watches this namespace.",
        since=repository.created if is_late else "",
    )


def _failures(repository: Repository) -> Iterator[Concern]:
    status = repository.status
    if isinstance(repository.spec, Problem):
        yield _of_problem(repository.spec)
    if repository.pin_problem is not None:
        yield _of_problem(repository.pin_problem)
    for error in status.errors:
        yield _of_error(error, since=status.failing_since or "")
    if (more := status.error_count - len(status.errors)) > 0:
        what = "1 more problem is" if more == 1 else f"{more} more problems are"
        yield Concern(kind=ConcernKind.FAILING, message=f"{what} not listed.")
    ready = find(status.conditions, READY)
    if ready is None:
        return
    if is_read_only(status.conditions):
        hint = f"`nopea plan {repository.key.arguments}` shows each object."
        since = ready.last_transition_time
        yield Concern(kind=ConcernKind.READ_ONLY, message=ready.message, hint=hint, since=since)
    elif ready.status == "False" and not status.errors:
        yield from _not_ready(ready, status)


def _not_ready(ready: Condition, status: GitRepositoryStatus) -> Iterator[Concern]:
    """Yield why it is not ready although nothing failed: `spec.wait` asks for the health of its objects."""
    is_rollout = ready.reason == NOT_HEALTHY
    if is_rollout and status.health is not None and status.health.status == HealthStatus.FAILED:
        return  # its objects say it themselves
    kind = ConcernKind.WAITING if is_rollout else ConcernKind.FAILING
    yield Concern(kind=kind, message=ready.message, since=ready.last_transition_time)


def _of_problem(problem: Problem) -> Concern:
    return Concern(
        kind=ConcernKind.FAILING,
        message=problem.message,
        hint=problem.hint,
        code=problem.code,
        source=problem.source,
        object=problem.object,
    )


def _of_error(error: StatusError, *, since: str) -> Concern:
    return Concern(
        kind=ConcernKind.WAITING if error.code in _WAITING else ConcernKind.FAILING,
        message=error.message,
        hint=error.hint,
        code=error.code,
        source=error.source or "",
        object=str(error.object or ""),
        since=since,
    )


def _unhealthy(repository: Repository) -> Iterator[Concern]:
    status = repository.status
    states = unpack_states(status.object_states)
    named = {
        str(key): state.health_message
        for key, state in states.objects.items()
        if state.health is HealthStatus.FAILED
    }
    worst = status.health
    if worst is not None and worst.status == HealthStatus.FAILED and not named:
        named[str(worst.object or "")] = worst.message
    healthy, ready = find(status.conditions, HEALTHY), find(status.conditions, READY)
    since = healthy.last_transition_time if healthy is not None and healthy.status == "False" else ""
    hint = f"`nopea tree {repository.key.arguments}` shows what it owns, down to Pods."
    for name, message in named.items():
        yield Concern(
            kind=ConcernKind.UNHEALTHY,
            message=message or "It is unhealthy.",
            hint=hint,
            object=name,
            since=since,
        )
    is_told = ready is None or ready.reason == NOT_HEALTHY  # as what `spec.wait` waits for
    if healthy is not None and healthy.status == "Unknown" and not named and not is_told:
        since = healthy.last_transition_time
        yield Concern(kind=ConcernKind.WAITING, message=healthy.message, hint=hint, since=since)


def _drifts(repository: Repository) -> Iterator[Concern]:
    arguments = repository.key.arguments
    nothing_is_written = is_read_only(repository.status.conditions) or repository.suspended
    for drift in repository.status.drifts:
        revert = f", `nopea heal {arguments}` reverts it"
        if drift.action == _PROTECTED:
            revert = f", `nopea resume {arguments} {drift.object}` ends the protection"
        if nothing_is_written or drift.action == _PLANNED:
            revert = ""
        yield Concern(
            kind=ConcernKind.DRIFTED,
            message=drift_sentence(drift),
            hint=f"`nopea diff {arguments}` shows the whole difference{revert}.",
            object=str(drift.object),
            since=drift.since or "",
        )


def drift_sentence(drift: DriftEntry) -> str:
    """Return which fields of a drifted object changed, who changed them, and why that was left."""
    changes = [
        f"{each.path} {each.from_ or '(none)'} → {each.to or '(none)'}" for each in drift.fields[:_FIELDS]
    ]
    if (more := len(drift.fields) - _FIELDS) > 0:
        changes.append(f"{more} more")
    whom = who(drift.manager, drift.user)
    by = f"Changed by {whom}: " if whom else "Changed: "
    what = f"{by}{', '.join(changes)}."
    if drift.is_deletion:
        what = f"Deleted{f' by {whom}' if whom else ''}."
    return f"{what} {not_reverted(drift)}".rstrip()


def not_reverted(drift: DriftEntry) -> str:
    """Return the sentence that says why drift was not reverted; empty if it was."""
    left = (drift.action or "").removeprefix("left: ")
    return f"Not reverted: {why_left(left)}." if left else ""


def _others(repository: Repository) -> Iterator[Concern]:
    conditions = repository.status.conditions
    contended = find(conditions, CONTENDED)
    if contended is not None and contended.status == "True":
        since = contended.last_transition_time
        yield Concern(kind=ConcernKind.CONTENDED, message=contended.message, since=since)
    for key, state in unpack_states(repository.status.object_states).objects.items():
        if state.sync is SyncStatus.SUSPENDED:
            why = state.sync_message or "break-glass"
            yield Concern(
                kind=ConcernKind.SUSPENDED,
                message=f"Nothing is written to it, not even changes in Git ({why}).",
                hint=f"`nopea resume {repository.key.arguments} {key}` ends it.",
                object=str(key),
            )
    if repository.suspended:
        hint = f"`nopea resume {repository.key.arguments}` ends it."
        suspended = find(conditions, SUSPENDED)
        since = suspended.last_transition_time if suspended else ""
        message = "Nothing is written to its objects."
        yield Concern(kind=ConcernKind.SUSPENDED, message=message, hint=hint, since=since)
    if repository.pin is not None:
        hint = f"`nopea rollback {repository.key.arguments} --resume` follows Git again."
        held = find(conditions, ROLLED_BACK)
        commit = repository.pin.commit[:SHORT_COMMIT]
        verb = "planned" if is_read_only(conditions) else "applied"
        message = f"Commit {commit} is {verb}; {repository.pin.left} is not followed."
        since = held.last_transition_time if held else ""
        yield Concern(kind=ConcernKind.ROLLED_BACK, message=message, hint=hint, since=since)
    watching = find(conditions, WATCHING)
    if watching is not None and watching.status == "False":
        since = watching.last_transition_time
        yield Concern(kind=ConcernKind.UNWATCHED, message=watching.message, since=since)
