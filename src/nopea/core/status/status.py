"""Builds `GitRepository.status` from a report. Pure; the publisher writes it only when it changed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from nopea.core.api.conditions import (
    CONTENDED,
    DRIFTED,
    HEALTHY,
    READY,
    RECONCILING,
    ROLLED_BACK,
    STALLED,
    find,
    format_time,
    merge,
)
from nopea.core.api.status import (
    MAX_ERRORS,
    MAX_HISTORY,
    MAX_MESSAGE,
    SHORT_COMMIT,
    Condition,
    GitRepositoryStatus,
    HistoryEntry,
    Phase,
    StatusError,
)
from nopea.core.duration import format_seconds
from nopea.core.health.condition import HealthSummary
from nopea.core.plan.model import Reason
from nopea.core.problem import Code, Problem, first_lines
from nopea.core.status.drifts import drift_line, drifts_of
from nopea.core.status.milestones import failing_since, last_deployment
from nopea.core.status.report import Outcome, ReconcileReport, Result
from nopea.core.status.rollback import has_moved, rolled_back

OWNED = frozenset({READY, RECONCILING, STALLED, DRIFTED, CONTENDED})
_APPLIED = (Outcome.CREATED, Outcome.CONFIGURED, Outcome.UNCHANGED)


def progressing(
    previous: GitRepositoryStatus, *, generation: int, message: str, now: datetime
) -> GitRepositoryStatus:
    """Return the status while a sync is in progress."""
    phase = Phase.SYNCING if previous.last_applied_commit else Phase.INITIALIZING
    before = find(previous.conditions, READY)
    ready = before.status if before and previous.observed_generation == generation else "Unknown"
    wanted = [
        _condition(READY, ready, "Progressing", message, generation, now),
        _condition(RECONCILING, "True", "Progressing", message, generation, now),
    ]
    return msgspec.structs.replace(
        previous, phase=phase, conditions=merge(previous.conditions, wanted, owned=OWNED)
    )


def interrupted(
    previous: GitRepositoryStatus, report: ReconcileReport, *, now: datetime
) -> tuple[GitRepositoryStatus, str]:
    """Return the status of a sync that the controller's shutdown interrupted, and its message.

    It records nothing about the commit: the next process syncs again.
    """
    applied = report.count(*_APPLIED)
    message = (
        f"Interrupted by the controller's shutdown after {applied} objects. The sync resumes when it is back."
    )
    return progressing(previous, generation=report.generation, message=message, now=now), message


def crashed(
    previous: GitRepositoryStatus, *, problem: Problem, generation: int, now: datetime
) -> GitRepositoryStatus:
    """Return the status of a repository whose worker keeps crashing."""
    message = cut(str(problem))
    wanted = [
        _condition(READY, "False", "WorkerCrashed", message, generation, now),
        _condition(STALLED, "True", "WorkerCrashed", message, generation, now),
    ]
    return msgspec.structs.replace(
        previous,
        phase=Phase.FAILED,
        errors=_errors([problem]),
        conditions=merge(previous.conditions, wanted, owned=OWNED),
    )


def reported(
    previous: GitRepositoryStatus, report: ReconcileReport, *, now: datetime, retry_at: datetime | None
) -> GitRepositoryStatus:
    """Return the status after a sync; equal to the previous one when nothing changed.

    `retry_at` is set when the sync failed and becomes `nextSyncTime`. Otherwise that field is absent, because
    polls that find nothing write nothing.
    """
    if report.result is Result.SUSPENDED:
        return _suspended(previous, report, now)
    ok = report.result is Result.SYNCED
    changes = dict(
        observed_generation=report.generation,
        phase=Phase.SYNCED if ok else Phase.FAILED,
        next_sync_time=format_time(retry_at) if retry_at else None,
        failures=0 if ok else previous.failures + 1,
        failing_since=failing_since(previous, report, now),
        last_deployment=last_deployment(previous, report),
        last_handled_sync_at=report.handled_sync_at or previous.last_handled_sync_at,
        last_handled_heal_at=report.handled_heal_at or previous.last_handled_heal_at,
        errors=_errors(report.problems),
        drifts=drifts_of(report, known=previous.drifts) if report.commit else previous.drifts,
        inventory=report.inventory,
        history=_history(previous, report),
        conditions=merge(previous.conditions, _conditions(report, now), owned=_owned(report)),
        **_times(previous, report, now),
        **_commit_facts(report),
    )
    return msgspec.structs.replace(previous, **changes)


def _owned(report: ReconcileReport) -> frozenset[str]:
    """Without a commit no object was looked at, so the conditions about objects stay."""
    return _pinning(report) | (OWNED if report.commit else OWNED - {DRIFTED, CONTENDED})


def _pinning(report: ReconcileReport) -> frozenset[str]:
    """If the pin could not be read, the condition about it stays."""
    return frozenset() if Code.ROLLBACK_INVALID in report.codes else frozenset({ROLLED_BACK})


def _suspended(previous: GitRepositoryStatus, report: ReconcileReport, now: datetime) -> GitRepositoryStatus:
    """Suspending keeps the last known state: Ready keeps its status, or is Unknown when there was none."""
    before = find(previous.conditions, READY)
    ready = before.status if before else "Unknown"
    message = "Suspended. Nothing is written until spec.suspend is false."
    return msgspec.structs.replace(
        previous,
        observed_generation=report.generation,
        phase=Phase.SUSPENDED,
        next_sync_time=None,
        last_handled_sync_at=report.handled_sync_at or previous.last_handled_sync_at,
        conditions=merge(
            previous.conditions,
            [
                _condition(READY, ready, "Suspended", message, report.generation, now),
                *rolled_back(report.pin, generation=report.generation, now=now),
            ],
            owned=OWNED | _pinning(report),
        ),
    )


def _times(previous: GitRepositoryStatus, report: ReconcileReport, now: datetime) -> dict[str, str | None]:
    """A sync that found nothing to do leaves no trace, so that an idle cluster sees no writes."""
    if _is_reportable(previous, report):
        return {"last_sync_time": format_time(now), "last_sync_duration": format_seconds(report.seconds)}
    return {}


def _is_reportable(previous: GitRepositoryStatus, report: ReconcileReport) -> bool:
    commit = report.commit.id if report.commit else previous.last_attempted_commit
    return (
        report.changed
        or previous.last_sync_time is None
        or commit != previous.last_attempted_commit
        or report.generation != previous.observed_generation
        or (report.result is Result.SYNCED) != _is_in_sync(previous)
        or _errors(report.problems) != previous.errors
        or (bool(_pinning(report)) and has_moved(previous.conditions, report.pin))
        or bool(report.handled_heal_at and report.handled_heal_at != previous.last_handled_heal_at)
        or bool(report.handled_sync_at and report.handled_sync_at != previous.last_handled_sync_at)
    )


def _is_in_sync(status: GitRepositoryStatus) -> bool:
    """True when the last finished sync succeeded. The phase Syncing shows one that is still running."""
    return status.phase in (Phase.SYNCED, Phase.SYNCING) and not status.failures


def _commit_facts(report: ReconcileReport) -> dict[str, str | int | None]:
    if report.commit is None:
        return {}
    facts: dict[str, str | int | None] = {
        "last_attempted_commit": report.commit.id,
        "last_commit_message": report.commit.message,
        "last_commit_author": report.commit.author[:256],
        "last_commit_time": format_time(report.commit.committed_at),
        "resource_count": sum(result.declared for result in report.objects),
        "applied_count": sum(result.declared and result.outcome in _APPLIED for result in report.objects),
        "drifted_count": sum(result.drifts for result in report.objects),
        "suspended_count": sum(result.reason is Reason.BREAK_GLASS for result in report.objects),
        "failed_count": report.count(Outcome.FAILED),
    }
    if report.result is Result.SYNCED:
        facts["last_applied_commit"] = report.commit.id
        facts["short_commit"] = report.commit.id[:SHORT_COMMIT]
    return facts


def _conditions(report: ReconcileReport, now: datetime) -> list[Condition]:
    generation = report.generation
    more = [*_drifted(report, now), *rolled_back(report.pin, generation=generation, now=now)]
    if report.result is Result.SYNCED:
        return [_condition(READY, "True", "Succeeded", summary(report), generation, now), *more]
    message = cut(summary(report))
    reason = report.problems[0].code.reason if report.problems else "Failed"
    ready = _condition(READY, "False", reason, message, generation, now)
    if report.transient:
        return [
            ready,
            *more,
            _condition(RECONCILING, "True", "ProgressingWithRetry", message, generation, now),
        ]
    return [ready, *more, _condition(STALLED, "True", reason, message, generation, now)]


def summary(report: ReconcileReport) -> str:
    """Return the report in a sentence or two, for the Ready condition and the Event."""
    if report.result is Result.SYNCED:
        assert report.commit is not None  # noqa: S101 - a successful sync has a commit
        declared = sum(result.declared for result in report.objects)
        pruned = report.count(Outcome.PRUNED)
        also = f" and pruned {pruned}" if pruned else ""
        drifted = sum(result.drifts for result in report.objects)
        left = f" {drifted} drifted and not reverted." if drifted else ""
        objects = "object" if declared == 1 else "objects"
        held = f" Rolled back: {report.pin.left} is not followed." if report.pin else ""
        return f"Applied {declared} {objects} at {report.commit.id[:SHORT_COMMIT]}{also}.{left}{held}"
    failed = report.count(Outcome.FAILED)
    declared = sum(result.declared for result in report.objects)
    ahead = f"Applied {report.count(*_APPLIED)} of {declared} objects. " if failed else ""
    return f"{ahead}{first_lines(report.problems)}"


def _drifted(report: ReconcileReport, now: datetime) -> list[Condition]:
    """The conditions Drifted and Contended, which are present only while they are true."""
    drifted = [result for result in report.objects if result.drifts]
    conditions = []
    if drifted:
        more = f" {len(drifted)} objects drifted." if drifted[1:] else ""
        message = cut(f"{drift_line(drifted[0])}.{more}")
        conditions.append(_condition(DRIFTED, "True", "ManualDrift", message, report.generation, now))
    if report.rivals:
        message = cut(report.rivals)
        conditions.append(_condition(CONTENDED, "True", "ChangedBackAgain", message, report.generation, now))
    return conditions


def with_health(
    status: GitRepositoryStatus, health: HealthSummary | None, *, generation: int, now: datetime
) -> GitRepositoryStatus:
    """Return the status with the condition Healthy, or without it when the health is not known."""
    wanted = []
    if health is not None:
        message = cut(health.message)
        wanted = [_condition(HEALTHY, health.status, health.reason, message, generation, now)]
    conditions = merge(status.conditions, wanted, owned=frozenset({HEALTHY}))
    return msgspec.structs.replace(status, conditions=conditions)


def is_detail(before: GitRepositoryStatus, after: GitRepositoryStatus) -> bool:
    """Return whether the health is the same and only its message says something else."""
    was, now = find(before.conditions, HEALTHY), find(after.conditions, HEALTHY)
    return was is not None and now is not None and (was.status, was.reason) == (now.status, now.reason)


def _history(previous: GitRepositoryStatus, report: ReconcileReport) -> tuple[HistoryEntry, ...]:
    if not _is_reportable(previous, report):
        return previous.history
    entry = HistoryEntry(
        id=report.id,
        commit=report.commit.id if report.commit else "",
        trigger=",".join(report.triggers)[:128],
        outcome=report.result,
        started=format_time(report.started_at),
        duration=format_seconds(report.seconds),
        created=report.count(Outcome.CREATED),
        changed=report.count(Outcome.CONFIGURED),
        pruned=report.count(Outcome.PRUNED),
        failed=report.count(Outcome.FAILED),
    )
    return (entry, *previous.history)[:MAX_HISTORY]


def _errors(problems: Iterable[Problem]) -> tuple[StatusError, ...]:
    return tuple(
        StatusError(
            code=problem.code,
            message=cut(problem.message),
            hint=cut(problem.hint),
            object=cut(problem.object, 512) or None,
            source=cut(problem.source) or None,
        )
        for problem in list(problems)[:MAX_ERRORS]
    )


def _condition(
    type_: str, status: str, reason: str, message: str, generation: int, now: datetime
) -> Condition:
    return Condition(
        type=type_,
        status=status,
        reason=reason,
        message=message,
        last_transition_time=format_time(now),
        observed_generation=generation,
    )


def cut(text: str, limit: int = MAX_MESSAGE) -> str:
    """Shorten a string to the limit, with an ellipsis at the end if something is missing."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
