"""Decides which Kubernetes Events a transition causes, and their text. Pure; Secret values are masked.

docs/spec.md lists the reasons. A sync that found nothing to do causes no Event; the recorder counts repeated
Events as a series.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal

from nopea.core.api import names
from nopea.core.api.conditions import HEALTHY, READY, STALLED, SUSPENDED, find
from nopea.core.api.status import GitRepositoryStatus
from nopea.core.git.source import SHORT_COMMIT
from nopea.core.objects import ObjectKey
from nopea.core.plan.inventory import unpack
from nopea.core.problem import Code
from nopea.core.status.conditions import report_line
from nopea.core.status.drifts import drift_line, why_left
from nopea.core.status.health import RECOVERING, UNHEALTHY
from nopea.core.status.kept import left_behind, newly_kept
from nopea.core.status.read_only import planned_line, planned_objects
from nopea.core.status.report import ObjectResult, Outcome, ReconcileReport, Result
from nopea.core.status.rollback import pinned_note, released_note
from nopea.core.status.status import WORKER_CRASHED
from nopea.core.status.transition import Transition

MOST_OF_A_KIND = 5
"""The most objects or problems of one kind in the Events of one sync; the rest is in the status."""

_WHY_OBJECTS_STAY = {
    "abandoned": f"{names.ABANDON_ANNOTATION} was set",
    "suspended": "spec.suspend was true",
    "deletionPolicy": "spec.deletionPolicy was not Delete",
    "finalizer removed by others": "somebody removed the finalizer",
    "definition deleted": "the CustomResourceDefinition of GitRepositories is being deleted",
    "namespace deleted": "its namespace is being deleted",
    "namespace of Nopea deleted": "the namespace of Nopea is being deleted",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLine:
    """One Event: `reason` and `action` are CamelCase words, `note` a sentence."""

    type: Literal["Normal", "Warning"]
    reason: str
    action: str
    note: str


def event_lines(step: Transition) -> Iterator[EventLine]:
    """Yield the Events of a transition for `kubectl describe`, in the order in which things happened."""
    yield from _rollbacks(step)
    yield from _health(step)
    report = step.report
    if report is not None and report.result is Result.DELETED:
        yield from _orphans(step)
    if report is None or report.result not in (Result.SYNCED, Result.PLANNED, Result.FAILED):
        return
    if report.result is Result.SYNCED:
        yield from _successes(step, report)
    if report.read_only:
        yield from _plans(step, report)
    if not step.is_first_sync and (note := _changes(report)):
        yield EventLine(type="Normal", reason="Changed", action="Apply", note=note)
    yield from _adoptions(report)
    yield from _admissions(report)
    yield from _drifts(report)
    yield from _prunes(report)
    for message, keys in newly_kept(step.before, step.after):
        yield EventLine(type="Normal", reason="Kept", action="Prune", note=f"{_named(keys)}: {message}")
    yield from _problems(step, report)


def object_lines(step: Transition) -> Iterator[tuple[ObjectResult, EventLine]]:
    """Yield the Events about objects themselves: whoever describes one reads there why it changed back."""
    report = step.report
    if report is None or report.result not in (Result.SYNCED, Result.FAILED):
        return
    for result in _first(result for result in report.objects if result.healed):
        line = _healed(result)
        yield result, replace(line, note=f"{line.note} The GitRepository {step.repository.key} declares it.")


def _rollbacks(step: Transition) -> Iterator[EventLine]:
    before, after = step.before.conditions, step.after.conditions
    if note := pinned_note(before, after):
        yield EventLine(type="Normal", reason="RolledBack", action="Rollback", note=note)
    if note := released_note(before, after, follows=step.repository.follows or "its spec"):
        yield EventLine(type="Normal", reason="Resumed", action="Rollback", note=note)


def _orphans(step: Transition) -> Iterator[EventLine]:
    """Say which objects a deleted GitRepository left; beyond the inventory's inline limit only how many."""
    assert step.report is not None  # noqa: S101 - only a report says that it is deleted
    why, objects = step.report.why_objects_stay, _recorded(step.after.inventory)
    has_applied = step.after.last_sync_time is not None  # else it never did more than plan
    count = len(objects) or (has_applied and step.after.in_sync_count) or 0
    if why and count:
        yield _orphaned(objects, count, _WHY_OBJECTS_STAY[why])
    for reason, kept in () if why else left_behind(step.report):
        yield _orphaned(kept, len(kept), reason)


def _orphaned(objects: Sequence[ObjectKey], count: int, why: str) -> EventLine:
    named = f" ({_named(objects)})" if objects else ""
    stay = "1 object stays" if count == 1 else f"{count} objects stay"
    note = f"The GitRepository was deleted. {stay} in the cluster{named}: {why}."
    return EventLine(type="Normal", reason="Orphaned", action="Delete", note=note)


def _recorded(inventory: str) -> list[ObjectKey]:
    try:
        return sorted(unpack(inventory))
    except ValueError:  # a sync would report that
        return []


def _successes(step: Transition, report: ReconcileReport) -> Iterator[EventLine]:
    if step.is_recovery:
        attempts = "attempt" if step.before.failures == 1 else "attempts"
        note = f"Recovered after {step.before.failures} failed {attempts}. {report_line(report)}"
        yield EventLine(type="Normal", reason="Recovered", action="Sync", note=note)
    elif step.is_first_sync or _was_stopped(step.before):
        yield EventLine(type="Normal", reason="Synced", action="Sync", note=report_line(report))


def _plans(step: Transition, report: ReconcileReport) -> Iterator[EventLine]:
    """Say once what a sync would do, with the first objects of each kind of change."""
    line = planned_line(report)
    ready = find(step.before.conditions, READY)
    if line and (ready is None or line not in ready.message):
        named = "".join(f" Would be {verb}: {_named(keys)}." for verb, keys in planned_objects(report))
        yield EventLine(type="Normal", reason="Planned", action="Plan", note=f"{line}{named}")


def _was_stopped(before: GitRepositoryStatus) -> bool:
    """Return whether no sync could be made before: the repository was suspended, or its worker crashed."""
    stalled = find(before.conditions, STALLED)
    is_crashed = stalled is not None and stalled.reason == WORKER_CRASHED
    return is_crashed or find(before.conditions, SUSPENDED) is not None


def _health(step: Transition) -> Iterator[EventLine]:
    """Say when objects became unhealthy, and when all are healthy again, but not each step of a rollout."""
    before, after = (find(status.conditions, HEALTHY) for status in (step.before, step.after))
    if after is None or (before is not None and before.status == after.status):
        return
    was_unhealthy = before is not None and before.reason in (UNHEALTHY, RECOVERING)
    if after.status == "False" and not was_unhealthy:
        yield EventLine(type="Warning", reason="Unhealthy", action="Health", note=after.message)
    elif after.status == "True" and was_unhealthy:
        yield EventLine(type="Normal", reason="Healthy", action="Health", note=after.message)


def _changes(report: ReconcileReport) -> str:
    """Name the objects that a change in Git changed; healed and pruned objects have Events of their own."""
    parts = [
        f"{outcome} {_named(keys)}"
        for outcome in (Outcome.CREATED, Outcome.CONFIGURED)
        if (
            keys := [
                result.key for result in report.objects if result.outcome is outcome and not result.healed
            ]
        )
    ]
    if not parts or report.commit is None:
        return ""
    applied = f"Applied {report.commit.id[:SHORT_COMMIT]}: {'; '.join(parts)}."
    return "".join((applied, *_leftovers(report)))


def _adoptions(report: ReconcileReport) -> Iterator[EventLine]:
    """Yield an Event for each adoption that removed live fields, because Git never showed them."""
    for result in _first(result for result in report.objects if result.removed):
        fields = _listed(result.removed)
        note = f"Adopted {result.key}. These fields are not in Git and were removed or reset: {fields}."
        yield EventLine(type="Normal", reason="Adopted", action="Apply", note=note)


def _admissions(report: ReconcileReport) -> Iterator[EventLine]:
    """Yield an Event for the values that admission changed; the report has them only when they are new."""
    for result in _first(result for result in report.objects if result.admission):
        note = f"Admission changed {result.key}: {_listed(result.admission)}."
        yield EventLine(type="Normal", reason="ChangedAtAdmission", action="Apply", note=note)


def _leftovers(report: ReconcileReport) -> Iterator[str]:
    for result in _first(result for result in report.objects if result.leftovers):
        paths = _listed([path for path, _ in result.leftovers])
        managers = _listed([*dict.fromkeys(manager for _, manager in result.leftovers)])
        why = f"because {managers} owns them too"
        yield f" {result.key} keeps fields that were removed from Git, {why}: {paths}."


def _listed(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - MOST_OF_A_KIND} more" if len(texts) > MOST_OF_A_KIND else ""
    return f"{', '.join(texts[:MOST_OF_A_KIND])}{more}"


def _drifts(report: ReconcileReport) -> Iterator[EventLine]:
    for result in _first(result for result in report.objects if result.healed):
        yield _healed(result)
    for result in _first(result for result in report.objects if result.drifts):
        note = f"Drift in {drift_line(result)}. Not reverted: {_why_left(result)}."
        yield EventLine(type="Warning", reason="DriftDetected", action="Heal", note=note)
    if report.rivals:
        yield EventLine(type="Warning", reason="Contended", action="Heal", note=report.rivals)


def _healed(result: ObjectResult) -> EventLine:
    verb = "Recreated" if result.outcome is Outcome.CREATED else "Reverted"
    note = f"{verb} {drift_line(result, reverted=True)}."
    return EventLine(type="Normal", reason="DriftHealed", action="Heal", note=note)


def _why_left(result: ObjectResult) -> str:
    if result.outcome is Outcome.FAILED and result.problem is not None:
        return f"the attempt failed with {result.problem.code}"
    return why_left(result.reason)


def _prunes(report: ReconcileReport) -> Iterator[EventLine]:
    pruned = [result.key for result in report.objects if result.outcome is Outcome.PRUNED]
    if pruned:
        objects = "1 object" if len(pruned) == 1 else f"{len(pruned)} objects"
        removed = f" removed in {report.commit.id[:SHORT_COMMIT]}" if report.commit else ""
        note = f"Deleted {objects}{removed}: {_named(pruned)}."
        yield EventLine(type="Normal", reason="Pruned", action="Prune", note=note)


def _problems(step: Transition, report: ReconcileReport) -> Iterator[EventLine]:
    """Say each kind of problem. The objects of a deleted GitRepository are often gone at the next attempt."""
    codes = [code for code in report.codes if code is not Code.PRUNE_BLOCKED or step.before.failures]
    for code in codes[:MOST_OF_A_KIND]:
        matching = [problem for problem in report.problems if problem.code is code]
        more = f" (and {len(matching) - 1} more)" if len(matching) > 1 else ""
        yield EventLine(type="Warning", reason=code.reason, action="Sync", note=f"{matching[0]}{more}")


def _named(keys: Sequence[ObjectKey]) -> str:
    return _listed([str(key) for key in keys])


def _first(results: Iterable[ObjectResult]) -> list[ObjectResult]:
    return list(islice(results, MOST_OF_A_KIND))
