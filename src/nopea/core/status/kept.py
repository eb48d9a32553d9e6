"""Which objects stay although Git no longer declares them, and what their users read about them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby, islice

from nopea.core.api.entries import MAX_VALUE, KeptEntry, ObjectReference
from nopea.core.api.status import MAX_KEPT, GitRepositoryStatus
from nopea.core.objects import ObjectKey
from nopea.core.plan.prune import HOW_TO_LET_GO, PruneReason
from nopea.core.status.report import ReconcileReport

_SOMEBODY_ELSES = (PruneReason.HANDED_OVER, PruneReason.OWNED_BY_OTHER, PruneReason.NOT_IN_INVENTORY)


def kept_of(report: ReconcileReport) -> tuple[KeptEntry, ...]:
    """Return the entries of a sync by object, without those that stay because somebody asked for it."""
    listed = sorted((one.key, one.kept) for one in report.objects if one.kept in HOW_TO_LET_GO and one.kept)
    return tuple(
        KeptEntry(object=ObjectReference.of(key), message=_message(why)[:MAX_VALUE])
        for key, why in islice(listed, MAX_KEPT)
    )


def newly_kept(before: GitRepositoryStatus, after: GitRepositoryStatus) -> list[tuple[str, list[ObjectKey]]]:
    """Return what was not listed before: each message with its objects."""
    known = {(entry.object, entry.message) for entry in before.kept}
    new = sorted(
        (entry.message, entry.object.key)
        for entry in after.kept
        if (entry.object, entry.message) not in known
    )
    return [(message, [key for _, key in group]) for message, group in groupby(new, key=lambda one: one[0])]


def left_behind(report: ReconcileReport) -> list[tuple[PruneReason, list[ObjectKey]]]:
    """Return what a GitRepository leaves that was deleted with its objects: each reason with its objects."""
    left = sorted(_left(report), key=lambda one: (one[0].name, one[1]))
    return [(why, [key for _, key in group]) for why, group in groupby(left, key=lambda one: one[0])]


def _left(report: ReconcileReport) -> Iterable[tuple[PruneReason, ObjectKey]]:
    return (
        (one.kept, one.key)
        for one in report.objects
        if one.kept is not None and one.kept not in _SOMEBODY_ELSES
    )


def _message(why: PruneReason) -> str:
    return f"Removed from Git but not deleted: {why}. {HOW_TO_LET_GO[why]}"
