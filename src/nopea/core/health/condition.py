"""The condition Healthy of a GitRepository, from the health of its objects. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nopea.core.health.assess import Health, HealthStatus
from nopea.core.objects import ObjectKey

_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSummary:
    """A repository's health: `status`, `reason` and `message` as in a condition."""

    status: str
    reason: str
    message: str

    @property
    def is_settled(self) -> bool:
        """True when a watch reports the next change; otherwise the objects must be polled."""
        return self.status == "True"


def unsettled(healths: Mapping[ObjectKey, Health]) -> list[ObjectKey]:
    """Return the objects that are not healthy, failed ones first."""
    order = {HealthStatus.FAILED: 0, HealthStatus.TERMINATING: 1, HealthStatus.PROGRESSING: 2}
    found = [key for key, health in healths.items() if health.status is not HealthStatus.HEALTHY]
    return sorted(found, key=lambda key: (order.get(healths[key].status, 3), key))


def summarize(healths: Mapping[ObjectKey, Health], troubles: Mapping[ObjectKey, str]) -> HealthSummary:
    """Return the summary; `troubles` maps workloads to the failure of their Pods, which makes them failed."""
    unhealthy = unsettled(healths)
    if not unhealthy:
        count = "1 object is" if len(healths) == 1 else f"{len(healths)} objects are"
        return HealthSummary(status="True", reason="Healthy", message=f"{count} healthy.")
    failed = [key for key in unhealthy if troubles.get(key) or healths[key].status is HealthStatus.FAILED]
    named = failed or unhealthy
    described = "; ".join(_describe(key, healths[key], troubles.get(key, "")) for key in named[:_NAMED])
    more = _more(len(named) - _NAMED)
    if failed:
        return HealthSummary(status="False", reason="Unhealthy", message=f"{described}{more}"[:4096])
    unknown = all(healths[key].status is HealthStatus.UNKNOWN for key in unhealthy)
    reason = "Unknown" if unknown else "Progressing"
    return HealthSummary(status="Unknown", reason=reason, message=f"{described}{more}"[:4096])


def _describe(key: ObjectKey, health: Health, trouble: str) -> str:
    return f"{key}: {trouble or health.message or str(health.status).lower()}"


def _more(count: int) -> str:
    if count <= 0:
        return ""
    return "; 1 more object is not healthy" if count == 1 else f"; {count} more objects are not healthy"
