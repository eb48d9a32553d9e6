"""Decides whether a live object is healthy, by the rules of kstatus and in their order.

Takes the object as the API server stores it; never waits and never asks. A shape that it cannot read is
UNKNOWN, not an error and not healthy. Differences to kstatus: a failed Pod is a failure, a Job progresses
until it is complete, a paused Deployment is healthy, and so is one that wants no Pods and has none, an
APIService must be available, and a `Ready` condition of an older generation does not count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from nopea.core.health.fields import NOTHING, LiveFields, OddShapeError, conditions_of, generation_of, mapping
from nopea.core.health.pods import one_line, pod_trouble
from nopea.core.health.rules import HEALTHY, RULES, Health, HealthStatus, failed, progressing
from nopea.core.objects import split_api_version

__all__ = ["Health", "HealthStatus", "assess", "pod_trouble"]

_COUNTS_OF_PODS = ("replicas", "currentNumberScheduled", "active", "failed")
_HAVE_PODS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job")


def assess(live: Mapping[str, Any], *, now: datetime) -> Health:
    """Return the health of an object; never raises.

    `now` is aware. It matters only for a Pod that cannot be scheduled, which fails when it is older than
    `pods.UNSCHEDULABLE_AFTER` although the object does not change.
    """
    try:
        return _assess(live, now)
    except OddShapeError as odd:
        return Health(status=HealthStatus.UNKNOWN, message=str(odd))


def _assess(live: Any, now: datetime) -> Health:
    if not isinstance(live, Mapping):
        raise OddShapeError("the object is not a mapping")
    api_version, kind = live.get("apiVersion"), live.get("kind")
    if not isinstance(api_version, str) or not isinstance(kind, str):
        raise OddShapeError("apiVersion or kind is not a string")
    metadata = mapping(live, "metadata")
    if metadata.get("deletionTimestamp") is not None:
        return Health(status=HealthStatus.TERMINATING, message=_ending(metadata))
    status = mapping(live, "status")
    rule = RULES.get((split_api_version(api_version)[0], kind))
    if not status and rule is None:
        return HEALTHY
    taken = LiveFields(
        spec=mapping(live, "spec") if rule else NOTHING,
        status=status,
        conditions=conditions_of(status),
        generation=generation_of(metadata, "generation"),
        observed=generation_of(status, "observedGeneration"),
        raw=live,
        now=now,
    )
    health = _common(taken) or (rule(taken) if rule else _by_ready(taken))
    return _with_selector(health, kind, taken) if rule else health


def _common(it: LiveFields) -> Health | None:
    """Apply the checks that come before the rule of the kind; None when none of them decides."""
    if it.observed is not None and it.generation is not None and it.observed != it.generation:
        return progressing(
            f"generation {it.generation} has not been observed yet, the last one is {it.observed}"
        )
    if it.has("Reconciling"):
        return progressing(it.says("Reconciling"))
    if it.has("Stalled"):
        return failed(it.says("Stalled"))
    return None


def _by_ready(it: LiveFields) -> Health:
    """Assess a kind without a rule of its own by its condition Ready; healthy without one."""
    ready = it.conditions.get("Ready")
    if ready is None:
        return HEALTHY
    seen = generation_of(ready, "observedGeneration")
    if seen is not None and it.generation is not None and seen < it.generation:
        return progressing(f"the condition Ready is about generation {seen}, the newest is {it.generation}")
    if ready.get("status") == "True":
        return HEALTHY
    return progressing(it.says("Ready") or "not ready")


def _with_selector(health: Health, kind: str, it: LiveFields) -> Health:
    if health.status is HealthStatus.HEALTHY or kind not in _HAVE_PODS:
        return health
    if health.status is not HealthStatus.FAILED and not any(it.count(field) for field in _COUNTS_OF_PODS):
        return health
    selector = mapping(it.spec, "selector")
    is_flat = kind == "ReplicationController"
    return replace(health, selector=_selector({"matchLabels": selector} if is_flat else selector))


def _selector(selector: Mapping[str, Any]) -> str:
    """Return a label selector as a string; empty if a part is unreadable: less would select more."""
    labels, expressions = mapping(selector, "matchLabels"), selector.get("matchExpressions") or []
    parts = [f"{key}={value}" if isinstance(value, str) else "" for key, value in labels.items()]
    parts += map(_expression, expressions if isinstance(expressions, list) else [None])
    return ",".join(parts) if all(parts) else ""


def _expression(expression: Any) -> str:
    match expression:
        case {"key": str(key), "operator": "In" | "NotIn" as operator, "values": [*values]} if values:
            chosen = ",".join(str(value) for value in values)
            return f"{key} {operator.lower()} ({chosen})"
        case {"key": str(key), "operator": "Exists"}:
            return key
        case {"key": str(key), "operator": "DoesNotExist"}:
            return f"!{key}"
        case _:
            return ""


def _ending(metadata: Mapping[str, Any]) -> str:
    finalizers = metadata.get("finalizers")
    if not isinstance(finalizers, list) or not finalizers:
        return "being deleted"
    return one_line(f"being deleted; waiting for finalizers {', '.join(map(str, finalizers[:10]))}")
