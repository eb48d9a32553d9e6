"""The health in `GitRepository.status`: the condition Healthy, the worst object, Ready with `wait`. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from nopea.core.api.conditions import APPLIED, HEALTHY, READY, SUSPENDED, find, merge
from nopea.core.api.entries import MAX_LINE, Condition, ObjectReference, RepositoryHealth
from nopea.core.api.status import GitRepositoryStatus
from nopea.core.health.condition import HealthSummary
from nopea.core.status.conditions import NOT_HEALTHY, condition, cut
from nopea.core.status.object_states import states_with_health
from nopea.core.status.read_only import is_read_only
from nopea.core.status.summary import state_line, suspended_line

UNHEALTHY, RECOVERING = "Unhealthy", "Recovering"


def with_health(
    status: GitRepositoryStatus,
    health: HealthSummary | None,
    *,
    wait: bool = False,
    generation: int,
    now: datetime,
) -> GitRepositoryStatus:
    """Return the status with the condition Healthy, or without it when the health is not known."""
    wanted = [] if health is None else [_healthy(status, health, generation, now)]
    conditions = merge(status.conditions, wanted, owned=frozenset({HEALTHY}))
    if wait and health is not None:
        conditions = merge(conditions, _waiting_for(conditions, health, generation, now), owned=frozenset())
    status = msgspec.structs.replace(status, conditions=conditions, **_facts(status, conditions, health))
    if status.errors or is_read_only(conditions):
        return status
    is_suspended = find(conditions, SUSPENDED) is not None
    brief = health.brief if health is not None else ""
    line = suspended_line(status) if is_suspended else state_line(status, brief=brief)
    return msgspec.structs.replace(status, summary=line)


def _facts(
    status: GitRepositoryStatus, conditions: Sequence[Condition], health: HealthSummary | None
) -> dict[str, RepositoryHealth | str | None]:
    healthy = find(conditions, HEALTHY)
    if health is None or healthy is None:
        return {"health": None}
    key, worst = next(iter(health.unhealthy.items()), (None, None))
    return {
        "health": RepositoryHealth(
            status=healthy.reason,
            object=ObjectReference.of(key) if key else None,
            message=cut(worst.message, MAX_LINE) if worst else "",
        ),
        "object_states": states_with_health(status.object_states, health),
    }


def _waiting_for(
    conditions: Sequence[Condition], health: HealthSummary, generation: int, now: datetime
) -> list[Condition]:
    """Return Ready if the health changes it: nothing but the health was missing, or is missing now."""
    ready, applied = find(conditions, READY), find(conditions, APPLIED)
    if ready is None or applied is None:
        return []
    if health.is_settled and ready.reason == NOT_HEALTHY:
        return [condition(READY, "True", applied.reason, applied.message, generation, now)]
    if not health.is_settled and (ready.status == "True" or ready.reason == NOT_HEALTHY):
        return [condition(READY, "False", NOT_HEALTHY, health.message, generation, now)]
    return []


def _healthy(status: GitRepositoryStatus, health: HealthSummary, generation: int, now: datetime) -> Condition:
    """Return the condition; after a failure, its reason is Recovering until all objects are healthy."""
    before = find(status.conditions, HEALTHY)
    recovers = before is not None and before.reason in (UNHEALTHY, RECOVERING) and health.status == "Unknown"
    reason = RECOVERING if recovers else health.reason
    return condition(HEALTHY, health.status, reason, health.message, generation, now)


def is_detail(before: GitRepositoryStatus, after: GitRepositoryStatus) -> bool:
    """Return whether the health is the same and only its message says something else."""
    was, now = find(before.conditions, HEALTHY), find(after.conditions, HEALTHY)
    return was is not None and now is not None and (was.status, was.reason) == (now.status, now.reason)
