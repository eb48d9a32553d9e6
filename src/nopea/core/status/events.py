"""Which Kubernetes Events a step of a repository is worth, and what they say. Pure; Secret values are masked.

Each occurrence has its own reason (docs/spec.md lists them), and what a pass found unchanged has none: the
recorder counts repetitions as a series.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from nopea.core.api.status import SHORT_COMMIT, Phase
from nopea.core.objects import ObjectKey
from nopea.core.status.drifts import drift_line
from nopea.core.status.report import ObjectResult, Outcome, ReconcileReport, Result
from nopea.core.status.rollback import pinned_note, released_note
from nopea.core.status.status import summary
from nopea.core.status.transition import Transition

MOST_OF_A_KIND = 5
"""How many objects or problems of one kind a pass tells of: the rest is in the status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLine:
    """One Event about the GitRepository: `reason` and `action` are CamelCase words, `note` a sentence."""

    type: Literal["Normal", "Warning"]
    reason: str
    action: str
    note: str


def event_lines(step: Transition) -> Iterator[EventLine]:
    """Yield what people should read in `kubectl describe` of the step, in the order of happening."""
    yield from _rollbacks(step)
    report = step.report
    if report is None or report.result not in (Result.SYNCED, Result.FAILED):
        return
    if report.result is Result.SYNCED:
        yield from _successes(step, report)
    yield from _drifts(report)
    yield from _prunes(report)
    yield from _problems(report)


def _rollbacks(step: Transition) -> Iterator[EventLine]:
    before, after = step.before.conditions, step.after.conditions
    if note := pinned_note(before, after):
        yield EventLine(type="Normal", reason="RolledBack", action="Rollback", note=note)
    if note := released_note(before, after, follows=step.repository.follows or "its spec"):
        yield EventLine(type="Normal", reason="Resumed", action="Rollback", note=note)


def _successes(step: Transition, report: ReconcileReport) -> Iterator[EventLine]:
    if step.is_recovery:
        passes = "pass" if step.before.failures == 1 else "passes"
        note = f"well again after {step.before.failures} failed {passes}: {summary(report)}"
        yield EventLine(type="Normal", reason="Recovered", action="Sync", note=note)
    elif step.is_first_sync or step.before.phase not in (Phase.SYNCED, Phase.SYNCING):
        yield EventLine(type="Normal", reason="Synced", action="Sync", note=summary(report))
    if not step.is_first_sync and (note := _changes(report)):
        yield EventLine(type="Normal", reason="Changed", action="Apply", note=note)


def _changes(report: ReconcileReport) -> str:
    """Name what Git's wish changed; what was healed or deleted has lines of its own."""
    parts = [
        f"{outcome} {_named(keys)}"
        for outcome in (Outcome.CREATED, Outcome.CONFIGURED)
        if (keys := [one.key for one in report.objects if one.outcome is outcome and not one.healed])
    ]
    if not parts or report.commit is None:
        return ""
    return f"{'; '.join(parts)}; as commit {report.commit.id[:SHORT_COMMIT]} wants"


def _drifts(report: ReconcileReport) -> Iterator[EventLine]:
    for one in _first(one for one in report.objects if one.healed):
        # no time in the note: the same change again and again is one Event with a count
        note = f"put right: {drift_line(one, with_time=False)}"
        yield EventLine(type="Normal", reason="DriftHealed", action="Heal", note=note)
    for one in _first(one for one in report.objects if one.drifts):
        note = f"left ({one.reason}): {drift_line(one)}"
        yield EventLine(type="Warning", reason="DriftDetected", action="Heal", note=note)
    if report.rivals:
        yield EventLine(type="Warning", reason="Contended", action="Heal", note=report.rivals)


def _prunes(report: ReconcileReport) -> Iterator[EventLine]:
    pruned = [one.key for one in report.objects if one.outcome is Outcome.PRUNED]
    if pruned:
        note = f"deleted what Git does not want any more: {_named(pruned)}"
        yield EventLine(type="Normal", reason="Pruned", action="Prune", note=note)


def _problems(report: ReconcileReport) -> Iterator[EventLine]:
    for code in report.codes[:MOST_OF_A_KIND]:
        matching = [problem for problem in report.problems if problem.code is code]
        more = f" (and {len(matching) - 1} more)" if len(matching) > 1 else ""
        yield EventLine(type="Warning", reason=code.reason, action="Sync", note=f"{matching[0]}{more}")


def _named(keys: list[ObjectKey]) -> str:
    more = f" and {len(keys) - MOST_OF_A_KIND} more" if len(keys) > MOST_OF_A_KIND else ""
    return f"{', '.join(str(key) for key in keys[:MOST_OF_A_KIND])}{more}"


def _first(results: Iterable[ObjectResult]) -> list[ObjectResult]:
    return [one for _, one in zip(range(MOST_OF_A_KIND), results, strict=False)]
