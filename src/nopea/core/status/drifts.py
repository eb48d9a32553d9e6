"""Describes drift for the status, Events and commands, with Secret values masked. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from nopea.core.api.entries import MAX_DRIFT_FIELDS, MAX_PATH, DriftEntry, FieldChange, ObjectReference
from nopea.core.api.status import MAX_DRIFTS
from nopea.core.api.times import format_time
from nopea.core.drift.find import FieldDrift, who
from nopea.core.drift.mask import show_field
from nopea.core.objects import ObjectKey
from nopea.core.plan.model import Reason
from nopea.core.status.report import ObjectResult, Outcome, ReconcileReport

_FIELDS_IN_A_LINE = 3
REVERTED = "reverted"
"""The action of a drift entry whose object was healed."""

_WHY_LEFT: dict[str, str] = {
    Reason.POLICY: "spec.healPolicy leaves it to you",
    Reason.GRACE: "spec.healGracePeriod has not passed",
    Reason.BREAK_GLASS: "break-glass protects it",
    Reason.CONTENDED: "it is changed back again and again",
    Reason.READ_ONLY: "Nopea runs read-only",
}


def drifts_of(report: ReconcileReport, known: Iterable[DriftEntry] = ()) -> tuple[DriftEntry, ...]:
    """Return the status entries about objects that drifted and were not reverted, at most `MAX_DRIFTS`.

    An entry that is already in the status keeps its time: a process that has just started saw the drift
    later, and the manager may have written other fields since.
    """
    before = {entry.object: entry for entry in known}
    drifted = [result for result in report.objects if result.drifts]
    return tuple(_dated(drift_of(result), before) for result in drifted[:MAX_DRIFTS])


def _dated(drift: DriftEntry, before: Mapping[ObjectReference, DriftEntry]) -> DriftEntry:
    known = before.get(drift.object)
    if known is None or known.since is None or known.manager != drift.manager or known.fields != drift.fields:
        return drift
    return msgspec.structs.replace(drift, since=known.since)


def drift_of(result: ObjectResult) -> DriftEntry:
    """Return the entry about one object with drift, whether it was reverted or not."""
    assert result.seen is not None  # noqa: S101 - an object that drifts was observed
    fields = result.seen.drift.fields
    owner = result.seen.drift.attributed
    return DriftEntry(
        object=ObjectReference.of(result.key),
        kind=result.seen.drift.kind,
        fields=tuple(_change(result.key, field) for field in fields[:MAX_DRIFT_FIELDS]),
        manager=(owner.manager[:128] or None) if owner else None,
        user=(owner.user or None) if owner else None,
        groups=owner.groups if owner else (),
        operation=(owner.operation or None) if owner else None,
        since=format_time(result.seen.since) if result.seen.is_dated else None,
        action=_action(result),
    )


def _change(key: ObjectKey, field: FieldDrift) -> FieldChange:
    return FieldChange(
        path=field.path[:MAX_PATH],
        from_=None if field.from_ is None else show_field(field.from_, key=key, path=field.keys),
        to=None if field.to is None else show_field(field.to, key=key, path=field.keys),
    )


def _action(result: ObjectResult) -> str:
    if result.healed:
        return REVERTED
    return "revert failed" if result.outcome is Outcome.FAILED else f"left: {result.reason}"[:32]


def why_left(reason: str) -> str:
    """Return in words why drift is left that has this reason, without a full stop."""
    return _WHY_LEFT.get(reason, reason)


def drift_line(result: ObjectResult, *, reverted: bool = False) -> str:
    """Return the object, the fields with both values, who changed them and when, without a full stop.

    Values read in the order of the change: from Git to the cluster, or back again if it was `reverted`. Then
    the time is left out: the same change, reverted repeatedly, is one Event with a count.
    """
    assert result.seen is not None  # noqa: S101 - an object that drifts was observed
    fields = result.seen.drift.fields
    if any(not field.keys for field in fields):
        what = ", which was deleted" if reverted else ": it was deleted"
        user = next((field.user for field in fields if field.user), "")
        by = f"by user {user}" if user else "(Kubernetes does not record by whom; the audit log does)"
        return f"{result.key}{what} {by}"
    shown = ", ".join(_field(result.key, field, reverted=reverted) for field in fields[:_FIELDS_IN_A_LINE])
    more = _more(len(fields) - _FIELDS_IN_A_LINE)
    owner = result.seen.drift.attributed
    changed_at = None if owner is None or reverted else owner.changed_at
    when = f" at {format_time(changed_at)}" if changed_at else ""
    by = f" (changed by {who(owner.manager, owner.user)}{when})" if owner else ""
    return f"{result.key}: {shown}{more}{by}"


def _more(count: int) -> str:
    return f" and {count} more field{'' if count == 1 else 's'}" if count > 0 else ""


def _field(key: ObjectKey, field: FieldDrift, *, reverted: bool) -> str:
    git = show_field(field.from_, key=key, path=field.keys, limit=60)
    live = show_field(field.to, key=key, path=field.keys, limit=60)
    before, after = (live, git) if reverted else (git, live)
    return f"{field.path} {before} → {after}"
