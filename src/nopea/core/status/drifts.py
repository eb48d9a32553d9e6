"""How drift is told: to the status, to Events and to commands, with Secret values masked. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from nopea.core.api.conditions import format_time
from nopea.core.api.status import MAX_DRIFT_FIELDS, MAX_DRIFTS, DriftEntry, FieldChange
from nopea.core.drift.find import FieldDrift
from nopea.core.drift.mask import show_field
from nopea.core.objects import ObjectKey
from nopea.core.status.report import ObjectResult, Outcome, ReconcileReport

_FIELDS_IN_A_LINE = 3


def object_line(key: ObjectKey) -> str:
    """Return the name that an object has in the status's lines about drift."""
    return str(key)[:512]


def drifts_of(report: ReconcileReport, known: Iterable[DriftEntry] = ()) -> tuple[DriftEntry, ...]:
    """Return the status's lines about objects that drifted and were left, the first of them.

    Where Kubernetes does not date the change, a line that is known already keeps its time: a process that
    has just started saw it later.
    """
    before = {one.object: one for one in known}
    drifted = [one for one in report.objects if one.drifts]
    return tuple(_dated(drift_of(one), before) for one in drifted[:MAX_DRIFTS])


def _dated(drift: DriftEntry, before: Mapping[str, DriftEntry]) -> DriftEntry:
    known = before.get(drift.object)
    if known is None or drift.manager is not None or known.fields != drift.fields:
        return drift
    return msgspec.structs.replace(drift, since=known.since)


def drift_of(one: ObjectResult) -> DriftEntry:
    """Return the line about one object in which drift was met, whatever was done about it."""
    assert one.seen is not None  # noqa: S101 - what drifts was seen
    fields = one.seen.drift.fields
    owner = one.seen.drift.attributed
    return DriftEntry(
        object=object_line(one.key),
        kind=one.seen.drift.kind,
        fields=tuple(_change(one.key, field) for field in fields[:MAX_DRIFT_FIELDS]),
        manager=(owner.manager[:128] or None) if owner else None,
        operation=(owner.operation or None) if owner else None,
        since=format_time(one.seen.since),
        action=_action(one),
    )


def _change(key: ObjectKey, field: FieldDrift) -> FieldChange:
    return FieldChange(
        path=field.path[:512],
        from_=None if field.from_ is None else show_field(field.from_, key=key, path=field.keys),
        to=None if field.to is None else show_field(field.to, key=key, path=field.keys),
    )


def _action(one: ObjectResult) -> str:
    if one.healed:
        return "put right"
    return "could not be put right" if one.outcome is Outcome.FAILED else f"left: {one.reason}"[:32]


def drift_line(one: ObjectResult, *, with_time: bool = True) -> str:
    """Return a sentence: which object, which fields from what to what, by whom, when; as far as known."""
    assert one.seen is not None  # noqa: S101 - asked only about what drifted
    fields = one.seen.drift.fields
    if any(not field.keys for field in fields):
        return f"{one.key}: the object was deleted; Kubernetes does not note by whom"
    shown = ", ".join(_field(one.key, field) for field in fields[:_FIELDS_IN_A_LINE])
    more = _more(len(fields) - _FIELDS_IN_A_LINE)
    owner = one.seen.drift.attributed
    by = f" by {owner.manager}" if owner else ""
    when = f" at {format_time(owner.changed_at)}" if with_time and owner and owner.changed_at else ""
    return f"{one.key}: {shown}{more} changed{by}{when}"


def _more(count: int) -> str:
    return f" and {count} more field{'' if count == 1 else 's'}" if count > 0 else ""


def _field(key: ObjectKey, field: FieldDrift) -> str:
    before = show_field(field.from_, key=key, path=field.keys, limit=60)
    after = show_field(field.to, key=key, path=field.keys, limit=60)
    return f"{field.path} from {before} to {after}"
