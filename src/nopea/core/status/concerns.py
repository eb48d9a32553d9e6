"""What somebody should know of a GitRepository, worst first, as its status tells. Pure."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from nopea.core.api.conditions import CONTENDED, READY, WATCHING, find
from nopea.core.api.entries import DriftEntry, StatusError
from nopea.core.api.repository import Repository
from nopea.core.health.rules import HealthStatus
from nopea.core.problem import Code, Problem
from nopea.core.status.object_states import unpack_states

_FIELDS = 3
_WAITING = frozenset(code.value for code in Code if code.is_waiting)


class ConcernKind(enum.StrEnum):
    """What is the matter, in the order in which to look at it."""

    FAILING = "failing"
    UNHEALTHY = "unhealthy"
    CONTENDED = "contended"
    DRIFTED = "drifted"
    WAITING = "waiting"
    """It continues when another GitRepository does, or the controller."""
    HELD = "held"
    """Somebody wants it so: a suspension or a rollback. Or it is only slower."""

    @property
    def needs_somebody(self) -> bool:
        """Whether a person should do something about it."""
        return self not in (ConcernKind.WAITING, ConcernKind.HELD)


ORDER = tuple(ConcernKind)


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


def concerns_of(repository: Repository) -> tuple[Concern, ...]:
    """Return everything that somebody should know, worst first; empty when all is well."""
    found = [*_failures(repository), *_unhealthy(repository), *_drifts(repository), *_others(repository)]
    return tuple(sorted(found, key=lambda each: ORDER.index(each.kind)))


def _failures(repository: Repository) -> Iterator[Concern]:
    status = repository.status
    if isinstance(repository.spec, Problem):
        yield _of_problem(repository.spec)
    if repository.pin_problem is not None:
        yield _of_problem(repository.pin_problem)
    for error in status.errors:
        yield _of_error(error, since=status.failing_since or "")
    if (more := status.error_count - len(status.errors)) > 0:
        yield Concern(kind=ConcernKind.FAILING, message=f"{more} more problems are not listed.")
    ready = find(status.conditions, READY)
    if ready is None:
        message = "The controller has not looked at it yet."
        hint = "Check that `nopea run` runs and watches this namespace."
        yield Concern(kind=ConcernKind.WAITING, message=message, hint=hint)
    elif ready.status == "False" and not status.errors:
        since = ready.last_transition_time
        yield Concern(kind=ConcernKind.FAILING, message=ready.message, since=since)


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
    for name, message in named.items():
        yield Concern(kind=ConcernKind.UNHEALTHY, message=message or "It is unhealthy.", object=name)


def _drifts(repository: Repository) -> Iterator[Concern]:
    arguments = repository.key.arguments
    for drift in repository.status.drifts:
        yield Concern(
            kind=ConcernKind.DRIFTED,
            message=_drift_line(drift),
            hint=f"`nopea diff {arguments}` shows the whole difference, `nopea heal {arguments}` reverts it.",
            object=str(drift.object),
            since=drift.since or "",
        )


def _drift_line(drift: DriftEntry) -> str:
    changes = [
        f"{each.path} {each.from_ or '(none)'} → {each.to or '(none)'}" for each in drift.fields[:_FIELDS]
    ]
    if (more := len(drift.fields) - _FIELDS) > 0:
        changes.append(f"{more} more")
    by = f"Changed by {drift.manager}: " if drift.manager else "Changed: "
    return f"{by}{', '.join(changes)}{f' ({drift.action})' if drift.action else ''}."


def _others(repository: Repository) -> Iterator[Concern]:
    conditions = repository.status.conditions
    contended = find(conditions, CONTENDED)
    if contended is not None and contended.status == "True":
        since = contended.last_transition_time
        yield Concern(kind=ConcernKind.CONTENDED, message=contended.message, since=since)
    if repository.suspended:
        hint = f"`nopea resume {repository.key.arguments}` ends it."
        yield Concern(kind=ConcernKind.HELD, message="It is suspended: nothing is written.", hint=hint)
    if repository.pin is not None:
        hint = f"`nopea rollback {repository.key.arguments} --resume` follows Git again."
        message = f"It is rolled back to commit {repository.pin.commit[:7]} and stays there."
        yield Concern(kind=ConcernKind.HELD, message=message, hint=hint)
    watching = find(conditions, WATCHING)
    if watching is not None and watching.status == "False":
        yield Concern(kind=ConcernKind.HELD, message=watching.message, since=watching.last_transition_time)
