"""Conditions as the API conventions and kstatus read them: Ready always, abnormal ones only if True."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from nopea.core.api.status import Condition

READY = "Ready"
RECONCILING = "Reconciling"
STALLED = "Stalled"
DRIFTED = "Drifted"
HEALTHY = "Healthy"
CONTENDED = "Contended"
ROLLED_BACK = "RolledBack"


def format_time(moment: datetime) -> str:
    """Return RFC 3339 in UTC with seconds, as Kubernetes writes times."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def find(conditions: Iterable[Condition], type_: str) -> Condition | None:
    """Return the condition of that type, if there is one."""
    return next((one for one in conditions if one.type == type_), None)


def merge(
    previous: Iterable[Condition], wanted: Iterable[Condition], *, owned: frozenset[str]
) -> tuple[Condition, ...]:
    """Replace the conditions of the owned types by the wanted ones; keep those of others.

    `lastTransitionTime` stays while the status does not change (metav1.Condition). Sorted by type.
    """
    old = {one.type: one for one in previous}
    merged = {type_: one for type_, one in old.items() if type_ not in owned}
    for one in wanted:
        before = old.get(one.type)
        if before is not None and before.status == one.status:
            one = Condition(
                type=one.type,
                status=one.status,
                reason=one.reason,
                message=one.message,
                last_transition_time=before.last_transition_time,
                observed_generation=one.observed_generation,
            )
        merged[one.type] = one
    return tuple(merged[type_] for type_ in sorted(merged))
