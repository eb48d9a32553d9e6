"""Conditions by the API conventions and kstatus: Ready is always set, abnormal ones only while they hold."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from nopea.core.api.entries import Condition

READY = "Ready"
FETCHED = "Fetched"
APPLIED = "Applied"
WATCHING = "Watching"
SUSPENDED = "Suspended"
RECONCILING = "Reconciling"
STALLED = "Stalled"
DRIFTED = "Drifted"
HEALTHY = "Healthy"
CONTENDED = "Contended"
ROLLED_BACK = "RolledBack"


def find(conditions: Iterable[Condition], type_: str) -> Condition | None:
    """Return the condition of a type, or None."""
    return next((condition for condition in conditions if condition.type == type_), None)


def merge(
    previous: Iterable[Condition], wanted: Iterable[Condition], *, owned: frozenset[str]
) -> tuple[Condition, ...]:
    """Replace the conditions of the owned types with the wanted ones; keep all others. Sorted by type.

    `lastTransitionTime` changes only with the status (metav1.Condition).
    """
    old = {condition.type: condition for condition in previous}
    merged = {type_: condition for type_, condition in old.items() if type_ not in owned}
    for condition in wanted:
        before = old.get(condition.type)
        if before is not None and before.status == condition.status:
            condition = replace(condition, last_transition_time=before.last_transition_time)
        merged[condition.type] = condition
    return tuple(merged[type_] for type_ in sorted(merged))
