"""What a sync says that only planned, because the process runs read-only. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nopea.core.api.conditions import READY, find
from nopea.core.api.entries import Condition
from nopea.core.git.source import SHORT_COMMIT
from nopea.core.objects import ObjectKey
from nopea.core.plan.model import Action, Reason
from nopea.core.status.report import Outcome, ReconcileReport

READ_ONLY = "ReadOnly"
"""The reason of Ready while nothing is written: True if a sync would change nothing, else False."""

_VERBS = {Action.CREATE: "created", Action.APPLY: "changed", Action.PRUNE: "deleted"}


def is_read_only(conditions: Iterable[Condition]) -> bool:
    """Return whether the last sync only planned, and found no problem."""
    ready = find(conditions, READY)
    return ready is not None and ready.reason == READ_ONLY


def would_change(report: ReconcileReport) -> bool:
    """Return whether a sync that may write would change something that Git or a user has set."""
    return any(result.planned is not None for result in report.objects)


def planned_line(report: ReconcileReport) -> str:
    """Return in a sentence what a sync would do; empty if nothing was planned."""
    if report.commit is None or not report.read_only:
        return ""
    counts = [f"{len(keys)} {verb}" for verb, keys in _by_verb(report)]
    what = "nothing would change"
    if counts:
        number, _, verb = counts[0].partition(" ")
        first = f"{number} {'object' if number == '1' else 'objects'} would be {verb}"
        what = ", ".join((first, *counts[1:]))
    return f"Read-only: {what} at {report.revision or report.commit.id[:SHORT_COMMIT]}.{_adopted(report)}"


def planned_summary(report: ReconcileReport) -> str:
    """Return the same for the column STATUS."""
    counts = [f"{len(keys)} {verb}" for verb, keys in _by_verb(report)]
    return f"Read-only; would be: {', '.join(counts)}" if counts else "Read-only; nothing would change"


def planned_objects(report: ReconcileReport) -> list[tuple[str, Sequence[ObjectKey]]]:
    """Return the objects by what would be done with them: `created`, `changed`, `deleted`."""
    return _by_verb(report)


def _by_verb(report: ReconcileReport) -> list[tuple[str, Sequence[ObjectKey]]]:
    found = [
        (verb, [result.key for result in report.objects if result.planned is action])
        for action, verb in _VERBS.items()
    ]
    return [(verb, keys) for verb, keys in found if keys]


def _adopted(report: ReconcileReport) -> str:
    """Say how many objects would get no more than Nopea's label and its annotation."""
    adopted = sum(
        result.reason is Reason.ADOPTED and result.outcome is Outcome.UNCHANGED for result in report.objects
    )
    if not adopted:
        return ""
    objects = "1 object is" if adopted == 1 else f"{adopted} objects are"
    return f" {objects} as in Git and would be adopted."
