"""The condition Healthy of a GitRepository, from the health of its objects. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from nopea.core.health.rules import Health, HealthStatus, failed
from nopea.core.objects import ObjectKey

_NAMED = 3
_POD = re.compile(r"^pod \S+?(?: (?:init )?container \S+)?: ")
_EXIT_CODE = re.compile(r"exit code \d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSummary:
    """A repository's health: `status`, `reason` and `message` as in a condition.

    `unhealthy` has all objects that are not healthy, the worst one first. The messages are short: without the
    Pod and its container.
    """

    status: str
    reason: str
    message: str
    unhealthy: Mapping[ObjectKey, Health] = field(default_factory=dict)

    @property
    def brief(self) -> str:
        """The worst object: `Deployment api: CrashLoopBackOff (exit code 1)`; empty if all are healthy."""
        for key, health in self.unhealthy.items():
            return f"{key.kind} {key.name}: {health.message or health.status.lower()}"
        return ""

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
    failing = [key for key in unhealthy if troubles.get(key) or healths[key].status is HealthStatus.FAILED]
    named = failing or unhealthy
    described = "; ".join(_describe(key, healths[key], troubles.get(key, "")) for key in named[:_NAMED])
    if failing:
        status, reason = "False", "Unhealthy"
    else:
        status = "Unknown"
        are_unknown = all(healths[key].status is HealthStatus.UNKNOWN for key in unhealthy)
        reason = "Unknown" if are_unknown else "Progressing"
    worst_first = dict.fromkeys([*failing, *unhealthy])
    return HealthSummary(
        status=status,
        reason=reason,
        message=f"{described}{_more(len(named) - _NAMED)}"[:4096],
        unhealthy={key: _in_brief(healths[key], troubles.get(key, "")) for key in worst_first},
    )


def _describe(key: ObjectKey, health: Health, trouble: str) -> str:
    return f"{key}: {trouble or health.message or health.status.lower()}"


def _in_brief(health: Health, trouble: str) -> Health:
    """Return the health with what its Pods say: failed, `CrashLoopBackOff (exit code 1)`."""
    if not trouble:
        return Health(status=health.status, message=health.message)
    cause, _, details = _POD.sub("", trouble).partition(": ")
    ended = _EXIT_CODE.search(details)
    return failed(f"{cause}{f' ({ended[0]})' if ended else ''}")


def _more(count: int) -> str:
    if count <= 0:
        return ""
    return "; 1 more object is not healthy" if count == 1 else f"; {count} more objects are not healthy"
