"""Builds `GitRepository.status` from a report. Pure; the publisher writes it only when it changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from nopea.core.api.conditions import (
    APPLIED,
    HEALTHY,
    READY,
    RECONCILING,
    ROLLED_BACK,
    STALLED,
    SUSPENDED,
    find,
    format_time,
    merge,
)
from nopea.core.api.status import (
    MAX_ERRORS,
    MAX_HISTORY,
    Condition,
    GitRepositoryStatus,
    HistoryEntry,
    StatusError,
)
from nopea.core.duration import format_seconds
from nopea.core.health.condition import HealthSummary
from nopea.core.plan.model import Reason
from nopea.core.problem import Code, Problem
from nopea.core.status.conditions import ALWAYS_OWNED, IN_SYNC, NOT_HEALTHY, condition, conditions_of, cut
from nopea.core.status.drifts import drifts_of
from nopea.core.status.milestones import failing_since, last_deployment
from nopea.core.status.report import Outcome, ReconcileReport, Result
from nopea.core.status.revisions import revisions_after
from nopea.core.status.rollback import has_moved, rolled_back
from nopea.core.status.summary import problem_line, state_line, suspended_line

WORKER_CRASHED = "WorkerCrashed"
UNHEALTHY, RECOVERING = "Unhealthy", "Recovering"


def progressing(
    previous: GitRepositoryStatus, *, generation: int, message: str, now: datetime
) -> GitRepositoryStatus:
    """Return the status while a sync is in progress."""
    before = find(previous.conditions, READY)
    ready = before.status if before and previous.observed_generation == generation else "Unknown"
    wanted = [
        condition(type_, status, "Progressing", message, generation, now)
        for type_, status in ((READY, ready), (RECONCILING, "True"))
    ]
    return msgspec.structs.replace(
        previous,
        summary=message.rstrip("."),
        conditions=merge(previous.conditions, wanted, owned=ALWAYS_OWNED - {STALLED}),
    )


def interrupted(
    previous: GitRepositoryStatus, report: ReconcileReport, *, now: datetime
) -> tuple[GitRepositoryStatus, str]:
    """Return the status of a sync that the controller's shutdown interrupted, and its message.

    It records nothing about the commit: the next process syncs again.
    """
    applied = report.count(*IN_SYNC)
    message = (
        f"Interrupted by the controller's shutdown after {applied} objects. The sync resumes when it is back."
    )
    return progressing(previous, generation=report.generation, message=message, now=now), message


def crashed(
    previous: GitRepositoryStatus, *, problem: Problem, generation: int, now: datetime
) -> GitRepositoryStatus:
    """Return the status of a repository whose worker keeps crashing."""
    wanted = [
        condition(type_, status, WORKER_CRASHED, str(problem), generation, now)
        for type_, status in ((READY, "False"), (STALLED, "True"))
    ]
    return msgspec.structs.replace(
        previous,
        summary=problem_line([problem]),
        errors=_errors([problem]),
        error_count=1,
        conditions=merge(previous.conditions, wanted, owned=ALWAYS_OWNED),
    )


def reported(
    previous: GitRepositoryStatus,
    report: ReconcileReport,
    *,
    now: datetime,
    retry_at: datetime | None,
    wait: bool = False,
) -> GitRepositoryStatus:
    """Return the status after a sync; equal to the previous one when nothing changed.

    `retry_at` is set when the sync failed and becomes `nextSyncTime`. Otherwise that field is absent, because
    polls that find nothing write nothing. With `wait`, health is a part of Ready.
    """
    if report.result is Result.SUSPENDED:
        return _suspended(previous, report, now)
    ok = report.result is Result.SYNCED
    conditions, owned = conditions_of(previous, report, now, wait=wait)
    changes = dict(
        observed_generation=report.generation,
        next_sync_time=format_time(retry_at) if retry_at else None,
        failures=0 if ok else previous.failures + 1,
        failing_since=failing_since(previous, report, now),
        last_deployment=last_deployment(previous, report),
        last_handled_sync_at=report.handled_sync_at or previous.last_handled_sync_at,
        last_handled_heal_at=report.handled_heal_at or previous.last_handled_heal_at,
        errors=_errors(report.problems),
        error_count=len(report.problems),
        drifts=drifts_of(report, known=previous.drifts) if report.commit else previous.drifts,
        inventory=report.inventory,
        history=_history(previous, report),
        revisions=revisions_after(previous.revisions, report, now=now),
        conditions=merge(previous.conditions, conditions, owned=owned),
        **_times(previous, report, now),
        **_commit_facts(report),
    )
    status = msgspec.structs.replace(previous, **changes)
    if report.problems:
        status = msgspec.structs.replace(status, summary=_problem_line(status, report.problems, retry_at))
    return with_health(status, report.health, wait=wait, generation=report.generation, now=now)


def _problem_line(status: GitRepositoryStatus, problems: Sequence[Problem], retry_at: datetime | None) -> str:
    ready = find(status.conditions, READY)
    line = problem_line(problems, retry_at=retry_at)
    if ready is not None and (ready.status == "True" or ready.reason == NOT_HEALTHY):
        return f"{line}; the last commit stays applied"
    is_of_git = all(problem.code.is_git for problem in problems)
    return f"{line}; the new spec is not applied" if is_of_git and status.last_applied_commit else line


def _suspended(previous: GitRepositoryStatus, report: ReconcileReport, now: datetime) -> GitRepositoryStatus:
    """Suspending keeps the last known state: Ready keeps its status, or is Unknown when there was none."""
    before = find(previous.conditions, READY)
    ready = before.status if before else "Unknown"
    message = "Suspended. Nothing is written until spec.suspend is false."
    pinning = frozenset() if Code.ROLLBACK_INVALID in report.codes else frozenset({ROLLED_BACK})
    return msgspec.structs.replace(
        previous,
        observed_generation=report.generation,
        summary=suspended_line(previous),
        next_sync_time=None,
        last_handled_sync_at=report.handled_sync_at or previous.last_handled_sync_at,
        conditions=merge(
            previous.conditions,
            [
                condition(READY, ready, "Suspended", message, report.generation, now),
                condition(SUSPENDED, "True", "Suspended", message, report.generation, now),
                *rolled_back(report.pin, generation=report.generation, now=now),
            ],
            owned=ALWAYS_OWNED | pinning,
        ),
    )


def _times(previous: GitRepositoryStatus, report: ReconcileReport, now: datetime) -> dict[str, str | None]:
    """A sync that found nothing to do leaves no trace, so that an idle cluster sees no writes."""
    if _is_reportable(previous, report):
        return {"last_sync_time": format_time(now)}
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
        or (Code.ROLLBACK_INVALID not in report.codes and has_moved(previous.conditions, report.pin))
        or bool(report.handled_heal_at and report.handled_heal_at != previous.last_handled_heal_at)
        or bool(report.handled_sync_at and report.handled_sync_at != previous.last_handled_sync_at)
    )


def _is_in_sync(status: GitRepositoryStatus) -> bool:
    """Return whether the last sync that ended has succeeded."""
    return not status.failures and find(status.conditions, SUSPENDED) is None


def _commit_facts(report: ReconcileReport) -> dict[str, str | int | None]:
    if report.commit is None:
        return {}
    facts: dict[str, str | int | None] = {
        "last_attempted_commit": report.commit.id,
        "last_commit_message": report.commit.message,
        "last_commit_author": report.commit.author[:256],
        "last_commit_time": format_time(report.commit.committed_at),
        "resource_count": sum(result.declared for result in report.objects),
        "applied_count": sum(result.declared and result.outcome in IN_SYNC for result in report.objects),
        "drifted_count": sum(result.drifts for result in report.objects),
        "suspended_count": sum(result.reason is Reason.BREAK_GLASS for result in report.objects),
        "failed_count": report.count(Outcome.FAILED),
    }
    if report.result is Result.SYNCED:
        facts["last_applied_commit"] = report.commit.id
        facts["revision"] = report.revision
    return facts


def with_health(
    status: GitRepositoryStatus,
    health: HealthSummary | None,
    *,
    wait: bool = False,
    generation: int,
    now: datetime,
) -> GitRepositoryStatus:
    """Return the status with the condition Healthy, or without it when the health is not known."""
    wanted = [] if health is None else [_healthy(status, health, generation, now)]
    conditions = merge(status.conditions, wanted, owned=frozenset({HEALTHY}))
    if wait and health is not None:
        conditions = merge(conditions, _waiting_for(conditions, health, generation, now), owned=frozenset())
    status = msgspec.structs.replace(status, conditions=conditions)
    if status.errors or find(conditions, SUSPENDED) is not None:
        return status
    line = state_line(status, brief=health.brief if health is not None else "")
    return msgspec.structs.replace(status, summary=line)


def _waiting_for(
    conditions: Sequence[Condition], health: HealthSummary, generation: int, now: datetime
) -> list[Condition]:
    """Return Ready if the health changes it: nothing but the health was missing, or is missing now."""
    ready, applied = find(conditions, READY), find(conditions, APPLIED)
    if ready is None or applied is None:
        return []
    if health.is_settled and ready.reason == NOT_HEALTHY:
        return [condition(READY, "True", applied.reason, applied.message, generation, now)]
    if not health.is_settled and (ready.status == "True" or ready.reason == NOT_HEALTHY):
        return [condition(READY, "False", NOT_HEALTHY, health.message, generation, now)]
    return []


def _healthy(status: GitRepositoryStatus, health: HealthSummary, generation: int, now: datetime) -> Condition:
    """Return the condition; after a failure, its reason is Recovering until all objects are healthy."""
    before = find(status.conditions, HEALTHY)
    recovers = before is not None and before.reason in (UNHEALTHY, RECOVERING) and health.status == "Unknown"
    reason = RECOVERING if recovers else health.reason
    return condition(HEALTHY, health.status, reason, health.message, generation, now)


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
