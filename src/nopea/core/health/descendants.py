"""What applied workloads own: ReplicaSets, Jobs and Pods, found by their owner references. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from nopea.core.apply.equality import BUILT_IN_GROUPS
from nopea.core.health.assess import assess
from nopea.core.health.pods import trouble_of
from nopea.core.health.rules import Health
from nopea.core.objects import ObjectKey, Resource, split_api_version

MOST_LEVELS: Final = 6
_PODS_OF: Final = frozenset({"StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job"})
_HAVE_DESCENDANTS: Final = _PODS_OF | {"Deployment", "CronJob"}


def _kind(group: str, kind: str) -> Resource:
    return Resource(group=group, version="v1", kind=kind, plural=f"{kind.lower()}s", namespaced=True)


PODS: Final = _kind("", "Pod")
REPLICA_SETS: Final = _kind("apps", "ReplicaSet")
JOBS: Final = _kind("batch", "Job")
OF_OPERATORS: Final = (_kind("apps", "Deployment"), _kind("apps", "StatefulSet"), _kind("apps", "DaemonSet"))
"""What the controllers of custom resources make besides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Descendant:
    """An object that another one owns; `state` is its own word for what it does, such as `Running`."""

    key: ObjectKey
    state: str
    health: Health
    children: tuple[Descendant, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Descendants:
    """What each object owns, and what could not be read and why."""

    of: Mapping[ObjectKey, tuple[Descendant, ...]] = field(default_factory=dict)
    unread: tuple[str, ...] = ()


def places_of(keys: Collection[ObjectKey]) -> list[tuple[str, Resource]]:
    """Return which kinds to list in which namespaces, sorted: none where nothing owns anything."""
    wanted: set[tuple[str, Resource]] = set()
    for key in keys:
        is_custom = key.group not in BUILT_IN_GROUPS
        if not key.namespace or not (is_custom or key.kind in _HAVE_DESCENDANTS):
            continue
        kinds = [PODS]
        if is_custom or key.kind == "Deployment":
            kinds.append(REPLICA_SETS)
        if is_custom or key.kind == "CronJob":
            kinds.append(JOBS)
        kinds += OF_OPERATORS if is_custom else ()
        wanted |= {(key.namespace, kind) for kind in kinds}
    return sorted(wanted, key=lambda each: (each[0], each[1].kind))


class Family:
    """Collects objects by their owners; keeps of each what a tree shows."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._owned: defaultdict[ObjectKey, list[Descendant]] = defaultdict(list)

    def add(self, found: Mapping[str, Any]) -> None:
        """Add an object as the API server stores it; one that nothing owns is left out."""
        if (owner := _owner(found)) is None or _is_old(found):
            return
        metadata = found["metadata"]
        group, _ = split_api_version(found["apiVersion"])
        key = ObjectKey(group, found["kind"], metadata.get("namespace", ""), metadata["name"])
        self._owned[owner].append(Descendant(key=key, state=_state(found), health=_health(found, self._now)))

    def below(self, key: ObjectKey, levels: int = MOST_LEVELS) -> Iterator[Descendant]:
        """Yield what an object owns, with what that owns."""
        if levels == 0:
            return
        for each in sorted(self._owned.get(key, ()), key=lambda each: (each.key.kind, each.key.name)):
            yield replace(each, children=tuple(self.below(each.key, levels - 1)))


def _owner(found: Mapping[str, Any]) -> ObjectKey | None:
    """Return the owner that controls an object, otherwise the first one."""
    metadata = found["metadata"]
    owners = metadata.get("ownerReferences") or ()
    owner = next((each for each in owners if each.get("controller")), owners[0] if owners else None)
    if owner is None:
        return None
    group, _ = split_api_version(str(owner.get("apiVersion", "")))
    return ObjectKey(group, str(owner.get("kind")), metadata.get("namespace", ""), str(owner.get("name")))


def _is_old(found: Mapping[str, Any]) -> bool:
    """Return whether it is a ReplicaSet of an earlier rollout, which only waits for a rollback."""
    counts = ((found.get("spec") or {}).get("replicas"), (found.get("status") or {}).get("replicas", 0))
    return found.get("kind") == "ReplicaSet" and counts == (0, 0)


def _health(found: Mapping[str, Any], now: datetime) -> Health:
    health = assess(found, now=now)
    if found["kind"] != "Pod" or not (trouble := trouble_of(found)):
        return health
    return Health(status=health.status, message=trouble)


def _state(found: Mapping[str, Any]) -> str:
    """Return what kubectl shows of it: the phase of a Pod, how many replicas of a workload are ready."""
    status, spec = found.get("status") or {}, found.get("spec") or {}
    if found["kind"] == "Pod":
        restarts = sum(int(each.get("restartCount") or 0) for each in status.get("containerStatuses") or ())
        phase = "Terminating" if found["metadata"].get("deletionTimestamp") else status.get("phase", "")
        return f"{phase}, {restarts} restart{'' if restarts == 1 else 's'}" if restarts else str(phase)
    if found["kind"] == "Job":
        done = f"{status.get('succeeded', 0)}/{spec.get('completions', 1)} done"
        return f"{done}, {status['failed']} failed" if status.get("failed") else done
    wanted = status.get("desiredNumberScheduled", spec.get("replicas", 1))
    ready = status.get("numberReady", status.get("readyReplicas", 0))
    return f"{ready}/{wanted} ready"
