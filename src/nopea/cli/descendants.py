"""Read what applied workloads own: ReplicaSets, Jobs and Pods, found by their owner references.

Reads with the user's own rights; what may not be read is named.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from nopea import tasks
from nopea.cli.progress import show_late_progress
from nopea.core.apply.equality import BUILT_IN_GROUPS
from nopea.core.health.assess import assess
from nopea.core.health.pods import trouble_of
from nopea.core.health.rules import Health
from nopea.core.objects import ObjectKey, Resource, split_api_version
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiError, ForbiddenError, NotFoundError
from nopea.kube.kinds import PODS
from nopea.kube.requests import Selection

MOST_NAMESPACES = 50
"""In how many namespaces is looked; the others are named."""
MOST_LEVELS = 6
_AT_ONCE = 8

_PODS_OF = frozenset({"StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job"})
_HAVE_DESCENDANTS = _PODS_OF | {"Deployment", "CronJob"}


def _kind(group: str, kind: str) -> Resource:
    return Resource(group=group, version="v1", kind=kind, plural=f"{kind.lower()}s", namespaced=True)


REPLICA_SETS = _kind("apps", "ReplicaSet")
JOBS = _kind("batch", "Job")
OF_OPERATORS = (_kind("apps", "Deployment"), _kind("apps", "StatefulSet"), _kind("apps", "DaemonSet"))
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


async def read_descendants(client: KubeClient, keys: Collection[ObjectKey]) -> Descendants:
    """Return what the objects own, down to Pods."""
    wanted = sorted(_wanted(keys), key=lambda each: (each[0], each[1].kind))
    namespaces = sorted({namespace for namespace, _ in wanted})
    chosen = frozenset(namespaces[:MOST_NAMESPACES])
    owned: dict[ObjectKey, list[dict[str, Any]]] = defaultdict(list)
    unread = [
        f"namespace {each}: there are more than {MOST_NAMESPACES}" for each in namespaces[MOST_NAMESPACES:]
    ]

    async def read(place: tuple[str, Resource]) -> None:
        namespace, resource = place
        try:
            listed = await client.list(resource, Selection(namespace=namespace))
        except NotFoundError:
            return  # an API server without this kind has no such objects
        except ForbiddenError:
            unread.append(f"{resource.full_plural} in {namespace}: you may not list them")
            return
        except ApiError as error:
            unread.append(f"{resource.full_plural} in {namespace}: {error.message}")
            return
        for live in listed.items:
            found = live.json()
            if (owner := _owner(found)) is not None and not _is_old(found):
                owned[owner].append(found)

    places = [(namespace, resource) for namespace, resource in wanted if namespace in chosen]
    with show_late_progress("Reading ReplicaSets, Jobs and Pods."):
        await tasks.for_each(places, read, limit=_AT_ONCE, name="descendants")
    now = datetime.now(UTC)
    found = {key: tuple(_children(key, owned, now, MOST_LEVELS)) for key in keys if key in owned}
    return Descendants(of=found, unread=tuple(sorted(unread)))


def _wanted(keys: Collection[ObjectKey]) -> set[tuple[str, Resource]]:
    """Return which kinds to list in which namespaces: none where nothing owns anything."""
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
    return wanted


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


def _children(
    owner: ObjectKey, owned: Mapping[ObjectKey, list[dict[str, Any]]], now: datetime, levels: int
) -> Iterator[Descendant]:
    if levels == 0:
        return
    for found in sorted(owned.get(owner, ()), key=lambda each: (each["kind"], each["metadata"]["name"])):
        metadata = found["metadata"]
        group, _ = split_api_version(found["apiVersion"])
        key = ObjectKey(group, found["kind"], metadata.get("namespace", ""), metadata["name"])
        yield Descendant(
            key=key,
            state=_state(found),
            health=_health(found, now),
            children=tuple(_children(key, owned, now, levels - 1)),
        )


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
