"""Live objects of each kind with a health rule, as the API server stores them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from nopea.core.health.assess import Health, HealthStatus, assess

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
HEALTHY, PROGRESSING, FAILED = HealthStatus.HEALTHY, HealthStatus.PROGRESSING, HealthStatus.FAILED
TERMINATING, UNKNOWN = HealthStatus.TERMINATING, HealthStatus.UNKNOWN
Fields = dict[str, Any]


def live_object(
    api_version: str, kind: str, *, spec: Any = None, status: Any = None, **metadata: Any
) -> Fields:
    """Return an object with this spec and status."""
    fields = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "web", **metadata}}
    return fields | ({} if spec is None else {"spec": spec}) | ({} if status is None else {"status": status})


def condition(kind: str, status: str = "True", reason: str = "", message: str = "", **more: Any) -> Fields:
    """Return a status condition."""
    texts = {name: text for name, text in (("reason", reason), ("message", message)) if text}
    return {"type": kind, "status": status, **texts, **more}


def health_of(live: Any) -> Health:
    """Return the health at `NOW`."""
    return assess(live, now=NOW)


ROLLED_OUT = condition("Progressing", reason="NewReplicaSetAvailable")
AVAILABLE = condition("Available")
SELECTOR = {"matchLabels": {"app": "web"}}


def deployment(
    replicas: int | None = 3,
    *,
    counts: tuple[int, int, int, int] = (3, 3, 3, 3),
    conditions: tuple[Fields, ...] = (ROLLED_OUT, AVAILABLE),
    **spec: Any,
) -> Fields:
    """Return a Deployment."""
    names = ("replicas", "updatedReplicas", "availableReplicas", "readyReplicas")
    status = {**dict(zip(names, counts, strict=True)), "observedGeneration": 2, "conditions": [*conditions]}
    wanted = {} if replicas is None else {"replicas": replicas}
    return live_object(
        "apps/v1",
        "Deployment",
        generation=2,
        spec={"selector": SELECTOR, "progressDeadlineSeconds": 600} | wanted | spec,
        status=status,
    )


def counted(kind: str, spec: Fields, **status: Any) -> Fields:
    """Return a workload with replica counts in its status."""
    spec = {"selector": SELECTOR, **spec}
    seen = {"observedGeneration": 1, **status}
    return live_object("apps/v1", kind, generation=1, spec=spec, status=seen)


def stateful_set(spec: Fields | None = None, **status: Any) -> Fields:
    """Return a StatefulSet."""
    full = {"replicas": 3, "readyReplicas": 3, "currentReplicas": 3, "updatedReplicas": 3}
    revisions = {"currentRevision": "web-1", "updateRevision": "web-1"}
    return counted("StatefulSet", {"replicas": 3, **(spec or {})}, **{**full, **revisions, **status})


def daemon_set(spec: Fields | None = None, **status: Any) -> Fields:
    """Return a DaemonSet."""
    full = {"desiredNumberScheduled": 2, "currentNumberScheduled": 2, "updatedNumberScheduled": 2}
    return counted("DaemonSet", spec or {}, **{**full, "numberAvailable": 2, "numberReady": 2, **status})


def replica_set(kind: str = "ReplicaSet", **status: Any) -> Fields:
    """Return a ReplicaSet or ReplicationController."""
    full = {"replicas": 2, "fullyLabeledReplicas": 2, "availableReplicas": 2, "readyReplicas": 2}
    return counted(kind, {"replicas": 2}, **{**full, **status})


def pod(phase: str | None, *conditions: Fields, created: str = "2026-05-04T11:00:00Z", **more: Any) -> Fields:
    """Return a Pod."""
    status = {"phase": phase, "conditions": [*conditions], **more}
    return live_object("v1", "Pod", creationTimestamp=created, spec={}, status=status)


def waiting(reason: str, message: str = "") -> list[Fields]:
    """Return the status of a container that is waiting."""
    return [{"name": "web", "ready": False, "state": {"waiting": {"reason": reason, "message": message}}}]


def job(*conditions: Fields, suspend: bool = False, completions: int | None = 1, **status: Any) -> Fields:
    """Return a Job."""
    spec = {"suspend": suspend, "completions": completions, "selector": {"matchLabels": {"job": "one"}}}
    return live_object(
        "batch/v1", "Job", generation=1, spec=spec, status={"conditions": [*conditions], **status}
    )


def custom(*conditions: Fields, generation: int = 2, **status: Any) -> Fields:
    """Return an object of a kind without a rule."""
    status = {"conditions": [*conditions], **status}
    return live_object("acme.example/v1", "Shop", generation=generation, spec={}, status=status)


def crd(*conditions: Fields) -> Fields:
    """Return a CustomResourceDefinition."""
    name = "CustomResourceDefinition"
    return live_object("apiextensions.k8s.io/v1", name, spec={}, status={"conditions": [*conditions]})


NO_ROOM = condition("PodScheduled", "False", "Unschedulable", "0/1 nodes are available: 1 Insufficient cpu.")
EXPIRED = condition("Progressing", "False", "ProgressDeadlineExceeded", 'ReplicaSet "web-1" has timed out.')
