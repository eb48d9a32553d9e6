"""The state of each object, for commands: `status.objectStates`. Pure.

Only objects that are not in sync or not healthy are recorded, so that the field is absent while all is well.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from nopea.core.api import packed
from nopea.core.api.status import MAX_OBJECT_STATES
from nopea.core.api.times import format_time
from nopea.core.drift.find import who
from nopea.core.health.condition import HealthSummary
from nopea.core.health.rules import HealthStatus
from nopea.core.objects import ObjectKey, parse_key
from nopea.core.plan.model import Reason
from nopea.core.status.report import ObjectResult, Outcome, ReconcileReport

_MOST_OBJECTS = 200
_MOST_CHARACTERS = 200


class SyncStatus(StrEnum):
    """Whether an object is as Git declares it, in one word."""

    SYNCED = "Synced"
    DRIFTED = "Drifted"
    FAILED = "Failed"
    SUSPENDED = "Suspended"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectState:
    """One object: each message says why its state is not the good one."""

    sync: SyncStatus = SyncStatus.SYNCED
    sync_message: str = ""
    health: HealthStatus = HealthStatus.HEALTHY
    health_message: str = ""


GOOD = ObjectState()


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectStates:
    """The objects that are not in sync or not healthy; with `has_more`, there are more of them."""

    objects: Mapping[ObjectKey, ObjectState]
    has_more: bool = False

    def listed(self, applied: Collection[ObjectKey]) -> list[tuple[ObjectKey, ObjectState]]:
        """Return what was applied and what should have been, by key; the health of the latter is unknown."""
        never = {key: state for key, state in self.objects.items() if key not in applied}
        unknown = {
            key: replace(state, health=HealthStatus.UNKNOWN)
            for key, state in never.items()
            if state.health is HealthStatus.HEALTHY
        }
        return [(key, unknown.get(key) or self.objects.get(key, GOOD)) for key in sorted({*applied, *never})]


_Record = tuple[str, SyncStatus, str, HealthStatus, str]


def pack_states(states: Mapping[ObjectKey, ObjectState], *, has_more: bool = False) -> str:
    """Return the states in one short text; empty if all are good. If they are too many, as many as fit.

    The worst ones come first. Equal states give equal texts.
    """
    records: list[_Record] = [
        (str(key), state.sync, state.sync_message, state.health, state.health_message)
        for key, state in sorted(states.items(), key=lambda item: (_is_minor(item[1]), item[0]))
        if state != GOOD
    ]

    def packed_first(count: int) -> str:
        return packed.pack((records[:count], has_more or count < len(records)))

    fits, too_many = 0, min(len(records), _MOST_OBJECTS) + 1
    if len(text := packed_first(too_many - 1)) <= MAX_OBJECT_STATES:
        return text if records else ""
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        if len(packed_first(middle)) <= MAX_OBJECT_STATES:
            fits = middle
        else:
            too_many = middle
    return packed_first(fits) if fits else ""


def _is_minor(state: ObjectState) -> bool:
    return state.sync is not SyncStatus.FAILED and state.health is not HealthStatus.FAILED


def unpack_states(text: str) -> ObjectStates:
    """Return the states in a text of `pack_states`; no states if another version wrote the text."""
    try:
        records, has_more = packed.unpack(text, tuple[list[_Record], bool])
    except ValueError:
        return ObjectStates(objects={})
    return ObjectStates(
        objects={
            key: ObjectState(sync=sync, sync_message=why_sync, health=health, health_message=why_health)
            for name, sync, why_sync, health, why_health in records
            if (key := parse_key(name)) is not None
        },
        has_more=has_more,
    )


def states_after(before: str, report: ReconcileReport) -> str:
    """Return the packed states after a reconciliation; where the health is not known, it stays as it was.

    Where it is known, nothing depends on what was recorded before, which may have been cut.
    """
    if report.commit is None:  # no object was looked at
        return before
    states = {result.key: _of_result(result) for result in report.objects}
    if report.health is not None:
        return pack_states(_with_health(states, report.health))
    known = unpack_states(before).objects
    return pack_states(
        {
            key: replace(
                state,
                health=known.get(key, GOOD).health,
                health_message=known.get(key, GOOD).health_message,
            )
            for key, state in states.items()
        }
    )


def states_with_health(before: str, health: HealthSummary) -> str:
    """Return the packed states with the health of now; again the same for its own answer.

    What was cut off is recorded without its sync, which may let more fit; then that is the answer.
    """
    known = unpack_states(before)
    text = pack_states(_with_health(known.objects, health), has_more=known.has_more)
    return text if text == before else states_with_health(text, health)


def _with_health(
    states: Mapping[ObjectKey, ObjectState], health: HealthSummary
) -> dict[ObjectKey, ObjectState]:
    found = {
        key: replace(state, health=HealthStatus.HEALTHY, health_message="") for key, state in states.items()
    }
    for key, one in health.unhealthy.items():
        message = one.message[:_MOST_CHARACTERS]
        found[key] = replace(found.get(key, GOOD), health=one.status, health_message=message)
    return found


def _of_result(result: ObjectResult) -> ObjectState:
    if result.outcome is Outcome.FAILED:
        message = f"{result.problem.code}: {result.problem.message}" if result.problem else ""
        return ObjectState(sync=SyncStatus.FAILED, sync_message=message[:_MOST_CHARACTERS])
    if result.drifts:
        owner = result.seen.drift.attributed if result.seen else None
        verb = "changed" if owner and owner.keys else "deleted"
        by = f"{verb} by {who(owner.manager, owner.user)}" if owner else ""
        return ObjectState(sync=SyncStatus.DRIFTED, sync_message=by[:_MOST_CHARACTERS])
    if result.reason is Reason.BREAK_GLASS:
        until = f" until {format_time(result.retry_at)}" if result.retry_at else ""
        return ObjectState(sync=SyncStatus.SUSPENDED, sync_message=f"break-glass{until}")
    return GOOD
