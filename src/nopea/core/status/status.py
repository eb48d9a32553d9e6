"""Builds `GitRepository.status` from a report. Pure; the publisher writes it only when it changed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from nopea.core.api.conditions import (
    READY,
    RECONCILING,
    ROLLED_BACK,
    STALLED,
    SUSPENDED,
    find,
    merge,
)
from nopea.core.api.entries import (
    HistoryEntry,
    ObjectReference,
    StatusError,
)
from nopea.core.api.status import MAX_ERRORS, MAX_HISTORY, MAX_SUMMARY, GitRepositoryStatus
from nopea.core.api.times import format_time
from nopea.core.duration import format_seconds
from nopea.core.objects import parse_key
from nopea.core.plan.model import Reason
from nopea.core.problem import Code, Problem
from nopea.core.status.conditions import ALWAYS_OWNED, IN_SYNC, NOT_HEALTHY, condition, conditions_of, cut
from nopea.core.status.drifts import drifts_of
from nopea.core.status.health import with_health
from nopea.core.status.kept import kept_of
from nopea.core.status.milestones import failing_since, last_deployment
from nopea.core.status.object_states import states_after
from nopea.core.status.read_only import planned_summary
from nopea.core.status.report import Outcome, ReconcileReport, Result
from nopea.core.status.revisions import revisions_after
from nopea.core.status.rollback import has_moved, rolled_back
from nopea.core.status.summary import problem_line, suspended_line

WORKER_CRASHED = "WorkerCrashed"


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
    after = "1 object" if applied == 1 else f"{applied} objects"
    message = f"Interrupted by the controller's shutdown after {after}. The sync resumes when it is back."
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
    ok = report.result in (Result.SYNCED, Result.PLANNED)
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
        chart=report.chart if report.commit else previous.chart,
        kept=kept_of(report) if report.commit else previous.kept,
        inventory=report.inventory,
        object_states=states_after(previous.object_states, report),
        history=_history(previous, report),
        revisions=revisions_after(previous.revisions, report, now=now),
        conditions=merge(previous.conditions, conditions, owned=owned),
        **_times(previous, report, now),
        **_commit_facts(report),
    )
    status = msgspec.structs.replace(previous, **changes)
    if report.problems:
        status = msgspec.structs.replace(status, summary=_problem_line(status, report, retry_at))
    elif report.read_only:
        status = msgspec.structs.replace(status, summary=planned_summary(report))
    return with_health(status, report.health, wait=wait, generation=report.generation, now=now)


def _problem_line(status: GitRepositoryStatus, report: ReconcileReport, retry_at: datetime | None) -> str:
    problems = report.problems
    ready = find(status.conditions, READY)
    line = problem_line(problems, retry_at=retry_at)
    if report.read_only:
        return cut(f"Read-only; {line}", MAX_SUMMARY)
    if ready is not None and (ready.status == "True" or ready.reason == NOT_HEALTHY):
        return f"{line}; the last commit stays applied"
    is_of_git = all(problem.code.is_of_source for problem in problems)
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
    if _is_reportable(previous, report) and not report.read_only:
        return {"last_sync_time": format_time(now)}
    return {}


def _is_reportable(previous: GitRepositoryStatus, report: ReconcileReport) -> bool:
    commit = report.commit.id if report.commit else previous.last_attempted_commit
    is_first = not previous.history if report.read_only else previous.last_sync_time is None
    return (
        report.changed
        or is_first
        or (report.result is Result.SYNCED and commit != previous.last_applied_commit)
        or commit != previous.last_attempted_commit
        or report.generation != previous.observed_generation
        or (report.result in (Result.SYNCED, Result.PLANNED)) != _is_in_sync(previous)
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
        "in_sync_count": sum(result.declared and result.outcome in IN_SYNC for result in report.objects),
        "drifted_count": sum(result.drifts for result in report.objects),
        "suspended_count": sum(result.reason is Reason.BREAK_GLASS for result in report.objects),
        "failed_count": report.count(Outcome.FAILED),
    }
    if report.result is Result.SYNCED:
        facts["last_applied_commit"] = report.commit.id
        facts["revision"] = report.revision
    return facts


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
    return tuple(_error(problem) for problem in list(problems)[:MAX_ERRORS])


def _error(problem: Problem) -> StatusError:
    """Return the entry. The message begins with a place that is not an object: a kind, a field."""
    key = parse_key(problem.object)
    place = f"{problem.object}: " if problem.object and key is None else ""
    return StatusError(
        code=problem.code,
        message=cut(f"{place}{problem.message}"),
        hint=cut(problem.hint),
        object=ObjectReference.of(key) if key else None,
        source=cut(problem.source) or None,
    )
