"""The condition Healthy of a GitRepository, from the health of its objects. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from nopea.core.health.assess import Health, HealthStatus
from nopea.core.objects import ObjectKey

_NAMED = 3
_POD = re.compile(r"^pod \S+?(?: (?:init )?container \S+)?: ")
_EXIT_CODE = re.compile(r"exit code \d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSummary:
    """A repository's health: `status`, `reason` and `message` as in a condition.

    `brief` is the worst object's kind, name and trouble, without the Pod and its container; empty if healthy.
    """

    status: str
    reason: str
    message: str
    brief: str = ""

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
    brief = _brief(named[0], healths[named[0]], troubles.get(named[0], ""))
    if failed:
        message = f"{described}{more}"[:4096]
        return HealthSummary(status="False", reason="Unhealthy", message=message, brief=brief)
    unknown = all(healths[key].status is HealthStatus.UNKNOWN for key in unhealthy)
    reason = "Unknown" if unknown else "Progressing"
    return HealthSummary(status="Unknown", reason=reason, message=f"{described}{more}"[:4096], brief=brief)


def _describe(key: ObjectKey, health: Health, trouble: str) -> str:
    return f"{key}: {trouble or health.message or str(health.status).lower()}"


def _brief(key: ObjectKey, health: Health, trouble: str) -> str:
    """Return `Deployment api: CrashLoopBackOff (exit code 1)`."""
    if not trouble:
        return f"{key.kind} {key.name}: {health.message or str(health.status).lower()}"
    cause, _, details = _POD.sub("", trouble).partition(": ")
    ended = _EXIT_CODE.search(details)
    return f"{key.kind} {key.name}: {cause}{f' ({ended[0]})' if ended else ''}"


def _more(count: int) -> str:
    if count <= 0:
        return ""
    return "; 1 more object is not healthy" if count == 1 else f"; {count} more objects are not healthy"
