"""The condition Healthy: what the objects' health comes to for their GitRepository. Pure."""

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
        """True when nothing is expected to change without the watches telling it."""
        return self.status == "True"


def unsettled(healths: Mapping[ObjectKey, Health]) -> list[ObjectKey]:
    """Return the objects that are not healthy, the failed ones first."""
    order = {HealthStatus.FAILED: 0, HealthStatus.TERMINATING: 1, HealthStatus.PROGRESSING: 2}
    found = [key for key, health in healths.items() if health.status is not HealthStatus.HEALTHY]
    return sorted(found, key=lambda key: (order.get(healths[key].status, 3), key))


def summarize(healths: Mapping[ObjectKey, Health], troubles: Mapping[ObjectKey, str]) -> HealthSummary:
    """Return the summary; `troubles` says of workloads what their Pods die of, and makes them failed."""
    ill = unsettled(healths)
    if not ill:
        return HealthSummary(status="True", reason="Healthy", message=f"{len(healths)} objects are healthy")
    failed = [key for key in ill if troubles.get(key) or healths[key].status is HealthStatus.FAILED]
    named = failed or ill
    told = "; ".join(_told(key, healths[key], troubles.get(key, "")) for key in named[:_NAMED])
    more = f"; and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    if failed:
        return HealthSummary(status="False", reason="Unhealthy", message=f"{told}{more}"[:4096])
    unknown = all(healths[key].status is HealthStatus.UNKNOWN for key in ill)
    reason = "Unknown" if unknown else "Progressing"
    return HealthSummary(status="Unknown", reason=reason, message=f"{told}{more}"[:4096])


def _told(key: ObjectKey, health: Health, trouble: str) -> str:
    said = trouble or health.message or str(health.status).lower()
    return f"{key}: {said}"
