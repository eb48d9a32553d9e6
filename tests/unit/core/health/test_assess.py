"""Every kind's rule of health, in a table; odd shapes are never healthy and never raise."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nopea.core.health.assess import Health, HealthStatus, assess
from nopea.core.health.rules import RULES

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
HEALTHY, PROGRESSING, FAILED = HealthStatus.HEALTHY, HealthStatus.PROGRESSING, HealthStatus.FAILED
TERMINATING, UNKNOWN = HealthStatus.TERMINATING, HealthStatus.UNKNOWN
Fields = dict[str, Any]


def _object(api_version: str, kind: str, *, spec: Any = None, status: Any = None, **metadata: Any) -> Fields:
    fields = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "web", **metadata}}
    return fields | ({} if spec is None else {"spec": spec}) | ({} if status is None else {"status": status})


def _is(kind: str, status: str = "True", reason: str = "", message: str = "", **more: Any) -> Fields:
    told = {name: text for name, text in (("reason", reason), ("message", message)) if text}
    return {"type": kind, "status": status, **told, **more}


def _assess(live: Any) -> Health:
    return assess(live, now=NOW)


ROLLED_OUT = _is("Progressing", reason="NewReplicaSetAvailable")
AVAILABLE = _is("Available")
SELECTOR = {"matchLabels": {"app": "web"}}


def _deployment(
    replicas: int | None = 3,
    *,
    counts: tuple[int, int, int, int] = (3, 3, 3, 3),
    conditions: tuple[Fields, ...] = (ROLLED_OUT, AVAILABLE),
    **spec: Any,
) -> Fields:
    names = ("replicas", "updatedReplicas", "availableReplicas", "readyReplicas")
    status = {**dict(zip(names, counts, strict=True)), "observedGeneration": 2, "conditions": [*conditions]}
    wanted = {} if replicas is None else {"replicas": replicas}
    return _object(
        "apps/v1",
        "Deployment",
        generation=2,
        spec={"selector": SELECTOR, "progressDeadlineSeconds": 600} | wanted | spec,
        status=status,
    )


def _counted(kind: str, spec: Fields, **status: Any) -> Fields:
    spec = {"selector": SELECTOR, **spec}
    seen = {"observedGeneration": 1, **status}
    return _object("apps/v1", kind, generation=1, spec=spec, status=seen)


def _stateful_set(spec: Fields | None = None, **status: Any) -> Fields:
    full = {"replicas": 3, "readyReplicas": 3, "currentReplicas": 3, "updatedReplicas": 3}
    revisions = {"currentRevision": "web-1", "updateRevision": "web-1"}
    return _counted("StatefulSet", {"replicas": 3, **(spec or {})}, **{**full, **revisions, **status})


def _daemon_set(spec: Fields | None = None, **status: Any) -> Fields:
    full = {"desiredNumberScheduled": 2, "currentNumberScheduled": 2, "updatedNumberScheduled": 2}
    return _counted("DaemonSet", spec or {}, **{**full, "numberAvailable": 2, "numberReady": 2, **status})


def _replica_set(kind: str = "ReplicaSet", **status: Any) -> Fields:
    full = {"replicas": 2, "fullyLabeledReplicas": 2, "availableReplicas": 2, "readyReplicas": 2}
    return _counted(kind, {"replicas": 2}, **{**full, **status})


def _pod(
    phase: str | None, *conditions: Fields, created: str = "2026-05-04T11:00:00Z", **more: Any
) -> Fields:
    status = {"phase": phase, "conditions": [*conditions], **more}
    return _object("v1", "Pod", creationTimestamp=created, spec={}, status=status)


def _waiting(reason: str, message: str = "") -> list[Fields]:
    return [{"name": "web", "ready": False, "state": {"waiting": {"reason": reason, "message": message}}}]


def _job(*conditions: Fields, suspend: bool = False, completions: int | None = 1, **status: Any) -> Fields:
    spec = {"suspend": suspend, "completions": completions, "selector": {"matchLabels": {"job": "one"}}}
    return _object("batch/v1", "Job", generation=1, spec=spec, status={"conditions": [*conditions], **status})


def _custom(*conditions: Fields, generation: int = 2, **status: Any) -> Fields:
    status = {"conditions": [*conditions], **status}
    return _object("acme.example/v1", "Shop", generation=generation, spec={}, status=status)


def _crd(*conditions: Fields) -> Fields:
    name = "CustomResourceDefinition"
    return _object("apiextensions.k8s.io/v1", name, spec={}, status={"conditions": [*conditions]})


NO_ROOM = _is("PodScheduled", "False", "Unschedulable", "0/1 nodes are available: 1 Insufficient cpu.")
EXPIRED = _is("Progressing", "False", "ProgressDeadlineExceeded", 'ReplicaSet "web-1" has timed out.')

CASES: dict[str, tuple[Fields, HealthStatus, str]] = {
    # The checks that come first, in their order
    "deleted": (_object("v1", "ConfigMap", deletionTimestamp="2026-05-04T11:59:00Z"), TERMINATING, "deleted"),
    "deleted, held by a finalizer": (
        {**_custom(_is("Stalled")), "metadata": {"deletionTimestamp": "x", "finalizers": ["acme.example/a"]}},
        TERMINATING,
        "waiting for finalizers acme.example/a",
    ),
    "an old generation is observed": (
        _custom(_is("Ready"), _is("Stalled"), observedGeneration=1),
        PROGRESSING,
        "generation 2 has not been observed yet, the last one is 1",
    ),
    "an observed generation that no number can be": (
        _custom(_is("Ready"), observedGeneration="9" * 5000),
        UNKNOWN,
        "observedGeneration is not a number",
    ),
    "the observed generation as text": (
        _custom(_is("Ready"), observedGeneration="1"),
        PROGRESSING,
        "2 has not",
    ),
    "reconciling before stalled": (
        _custom(_is("Stalled", message="bad"), _is("Reconciling", message="step 2")),
        PROGRESSING,
        "step 2",
    ),
    "stalled before ready": (_custom(_is("Ready"), _is("Stalled", message="bad")), FAILED, "bad"),
    "a stalled Deployment of another controller": (
        _deployment(conditions=(_is("Stalled", reason="Broken"),)),
        FAILED,
        "Broken",
    ),
    # Kinds without a rule
    "custom, ready": (_custom(_is("Ready"), observedGeneration=2), HEALTHY, ""),
    "custom, not ready": (
        _custom(_is("Ready", "False", "Waits", "waits for a\nname")),
        PROGRESSING,
        "waits for a name",
    ),
    "custom, unknown": (_custom(_is("Ready", "Unknown", "Waits")), PROGRESSING, "Waits"),
    "custom, not ready without a word": (_custom(_is("Ready", "False")), PROGRESSING, "not ready"),
    "custom, ready for an older generation": (
        _custom(_is("Ready", observedGeneration=1)),
        PROGRESSING,
        "the condition Ready is about generation 1, the newest is 2",
    ),
    "custom, ready for this generation": (_custom(_is("Ready", observedGeneration=2)), HEALTHY, ""),
    "custom, without conditions": (_custom(), HEALTHY, ""),
    "custom, without status": (_object("acme.example/v1", "Shop", spec={}), HEALTHY, ""),
    "custom, named like a workload": (
        _object("acme.example/v1", "Deployment", spec={"replicas": 3}),
        HEALTHY,
        "",
    ),
    "custom, a spec of any shape": ({**_custom(_is("Ready")), "spec": ["a"]}, HEALTHY, ""),
    "ConfigMap": (_object("v1", "ConfigMap"), HEALTHY, ""),
    "Secret": (_object("v1", "Secret"), HEALTHY, ""),
    # Deployment
    "Deployment": (_deployment(), HEALTHY, ""),
    "Deployment, new": (_object("apps/v1", "Deployment", spec={}), PROGRESSING, "0 of 1 replicas exist"),
    "Deployment, too few": (_deployment(counts=(2, 2, 2, 2)), PROGRESSING, "2 of 3 replicas exist"),
    "Deployment, refused by a quota": (
        _deployment(counts=(0, 0, 0, 0), conditions=(_is("ReplicaFailure", message="exceeded quota"),)),
        PROGRESSING,
        "exceeded quota",
    ),
    "Deployment, not updated": (_deployment(counts=(3, 1, 3, 3)), PROGRESSING, "1 of 3 replicas are updated"),
    "Deployment, old ones": (
        _deployment(counts=(4, 3, 4, 4)),
        PROGRESSING,
        "1 old replicas are still terminating",
    ),
    "Deployment, not available": (
        _deployment(counts=(3, 3, 2, 3)),
        PROGRESSING,
        "2 of 3 replicas are available",
    ),
    "Deployment, not ready": (_deployment(counts=(3, 3, 3, 1)), PROGRESSING, "1 of 3 replicas are ready"),
    "Deployment, on its way": (
        _deployment(
            conditions=(_is("Progressing", reason="ReplicaSetUpdated", message="goes on"), AVAILABLE)
        ),
        PROGRESSING,
        "goes on",
    ),
    "Deployment, no deadline": (
        _deployment(conditions=(AVAILABLE,), progressDeadlineSeconds=None),
        HEALTHY,
        "",
    ),
    "Deployment, no condition Available": (
        _deployment(conditions=(ROLLED_OUT,)),
        PROGRESSING,
        "not available",
    ),
    "Deployment, out of time": (_deployment(counts=(3, 1, 1, 1), conditions=(EXPIRED,)), FAILED, "timed out"),
    "Deployment, of none": (_deployment(0, counts=(0, 0, 0, 0)), HEALTHY, ""),
    "Deployment, paused in the middle": (
        _deployment(counts=(3, 1, 3, 3), conditions=(AVAILABLE,), paused=True),
        HEALTHY,
        "paused",
    ),
    "Deployment, paused and down": (
        _deployment(counts=(3, 1, 2, 2), conditions=(AVAILABLE,), paused=True),
        PROGRESSING,
        "2 of 3 replicas are available",
    ),
    # StatefulSet
    "StatefulSet": (_stateful_set(), HEALTHY, ""),
    "StatefulSet, on delete": (
        _stateful_set({"updateStrategy": {"type": "OnDelete"}}, readyReplicas=0),
        HEALTHY,
        "",
    ),
    "StatefulSet, too few": (_stateful_set(replicas=1), PROGRESSING, "1 of 3 replicas exist"),
    "StatefulSet, not ready": (_stateful_set(readyReplicas=2), PROGRESSING, "2 of 3 replicas are ready"),
    "StatefulSet, too many": (_stateful_set(replicas=4), PROGRESSING, "1 replicas are still terminating"),
    "StatefulSet, partition": (
        _stateful_set(
            {"updateStrategy": {"rollingUpdate": {"partition": 2}}}, updatedReplicas=1, currentReplicas=2
        ),
        HEALTHY,
        "",
    ),
    "StatefulSet, partition to go": (
        _stateful_set({"updateStrategy": {"rollingUpdate": {"partition": 1}}}, updatedReplicas=1),
        PROGRESSING,
        "1 of 2 replicas are updated",
    ),
    "StatefulSet, old": (_stateful_set(currentReplicas=2), PROGRESSING, "2 of 3 replicas have the current"),
    "StatefulSet, two revisions": (
        _stateful_set(updateRevision="web-2"),
        PROGRESSING,
        "newest revision has not finished",
    ),
    # DaemonSet
    "DaemonSet": (_daemon_set(), HEALTHY, ""),
    "DaemonSet, no node": (
        _daemon_set(
            desiredNumberScheduled=0,
            currentNumberScheduled=0,
            updatedNumberScheduled=0,
            numberAvailable=0,
            numberReady=0,
        ),
        HEALTHY,
        "",
    ),
    "DaemonSet, unseen": (_daemon_set(observedGeneration=None), PROGRESSING, "not observed yet"),
    "DaemonSet, uncounted": (_daemon_set(desiredNumberScheduled=None), PROGRESSING, "not observed yet"),
    "DaemonSet, not placed": (
        _daemon_set(currentNumberScheduled=1),
        PROGRESSING,
        "1 of 2 replicas are scheduled",
    ),
    "DaemonSet, not updated": (
        _daemon_set(updatedNumberScheduled=1),
        PROGRESSING,
        "1 of 2 replicas are updated",
    ),
    "DaemonSet, on delete": (
        _daemon_set({"updateStrategy": {"type": "OnDelete"}}, updatedNumberScheduled=0),
        HEALTHY,
        "",
    ),
    "DaemonSet, not available": (
        _daemon_set(numberAvailable=0),
        PROGRESSING,
        "0 of 2 replicas are available",
    ),
    "DaemonSet, not ready": (_daemon_set(numberReady=1), PROGRESSING, "1 of 2 replicas are ready"),
    # ReplicaSet, ReplicationController
    "ReplicaSet": (_replica_set(), HEALTHY, ""),
    "ReplicaSet, refused": (
        _replica_set(conditions=[_is("ReplicaFailure", message="no quota")]),
        PROGRESSING,
        "no quota",
    ),
    "ReplicaSet, unlabelled": (
        _replica_set(fullyLabeledReplicas=1),
        PROGRESSING,
        "1 of 2 replicas have every label",
    ),
    "ReplicaSet, not available": (
        _replica_set(availableReplicas=0),
        PROGRESSING,
        "0 of 2 replicas are available",
    ),
    "ReplicaSet, not ready": (_replica_set(readyReplicas=1), PROGRESSING, "1 of 2 replicas are ready"),
    "ReplicaSet, too many": (_replica_set(replicas=3), PROGRESSING, "1 replicas are still terminating"),
    "ReplicationController": (
        {**_replica_set("ReplicationController", readyReplicas=0), "apiVersion": "v1"},
        PROGRESSING,
        "0 of 2 replicas are ready",
    ),
    # Pod
    "Pod, succeeded": (_pod("Succeeded"), HEALTHY, ""),
    "Pod, failed": (_pod("Failed"), FAILED, "the Pod has failed"),
    "Pod, evicted": (
        _pod("Failed", reason="Evicted", message="low on memory"),
        FAILED,
        "Evicted: low on memory",
    ),
    "Pod, ready": (_pod("Running", _is("Ready")), HEALTHY, ""),
    "Pod, not ready": (
        _pod("Running", _is("Ready", "False", message="unready: [web]")),
        PROGRESSING,
        "unready",
    ),
    "Pod, crashing": (
        _pod(
            "Running", _is("Ready", "False"), containerStatuses=_waiting("CrashLoopBackOff", "back-off 5m0s")
        ),
        FAILED,
        "container web: CrashLoopBackOff: back-off 5m0s",
    ),
    "Pod, crashing before it starts": (
        _pod("Pending", initContainerStatuses=_waiting("CrashLoopBackOff")),
        FAILED,
        "init container web: CrashLoopBackOff",
    ),
    "Pod, without its image": (
        _pod("Pending", containerStatuses=_waiting("ImagePullBackOff", "no such image")),
        PROGRESSING,
        "container web: ImagePullBackOff: no such image",
    ),
    "Pod, new": (_pod("Pending"), PROGRESSING, "not ready"),
    "Pod, without status": (_object("v1", "Pod", spec={}), PROGRESSING, "not ready"),
    "Pod, just not placed": (
        _pod("Pending", NO_ROOM, created="2026-05-04T11:59:50Z"),
        PROGRESSING,
        "Insufficient",
    ),
    "Pod, not placed for long": (
        _pod("Pending", NO_ROOM, created="2026-05-04T11:59:40Z"),
        FAILED,
        "Insufficient cpu",
    ),
    "Pod, not placed since nobody knows": (
        _pod("Pending", NO_ROOM, created="today"),
        PROGRESSING,
        "Insufficient",
    ),
    "Pod, not placed since a time without zone": (
        _pod("Pending", NO_ROOM, created="2026-05-04T11:00:00"),
        PROGRESSING,
        "Insufficient",
    ),
    "Pod, held by a gate": (
        _pod("Pending", _is("PodScheduled", "False", "SchedulingGated")),
        PROGRESSING,
        "not ready",
    ),
    "Pod, of another phase": (_pod("Dreaming"), UNKNOWN, "unknown Pod phase"),
    # Job
    "Job, new": (_object("batch/v1", "Job", spec={}), PROGRESSING, "0 of 1 completions, 0 running"),
    "Job, running": (
        _job(completions=3, startTime="2026-05-04T11:00:00Z", active=2, succeeded=1, failed=1),
        PROGRESSING,
        "1 of 3 completions, 2 running, 1 failed",
    ),
    "Job, complete": (_job(_is("SuccessCriteriaMet"), _is("Complete")), HEALTHY, ""),
    "Job, failed": (
        _job(_is("Failed", message="Job has reached the limit")),
        FAILED,
        "has reached the limit",
    ),
    "Job, about to fail": (
        _job(_is("FailureTarget", reason="BackoffLimitExceeded")),
        FAILED,
        "BackoffLimitExceeded",
    ),
    "Job, suspended": (_job(_is("Suspended"), suspend=True), HEALTHY, "suspended"),
    "Job, about to be suspended": (_job(suspend=True, active=1), PROGRESSING, "1 running"),
    "Job, resumed": (_job(_is("Suspended", "False"), active=1), PROGRESSING, "1 running"),
    "CronJob": (_object("batch/v1", "CronJob", spec={"suspend": True}, status={}), HEALTHY, ""),
    # Networking, storage, policy, scaling: only what cannot work is waited for
    "Service": (
        _object("v1", "Service", spec={"type": "ClusterIP"}, status={"loadBalancer": {}}),
        HEALTHY,
        "",
    ),
    "Service, without an address outside": (
        _object("v1", "Service", spec={"type": "LoadBalancer", "clusterIP": "10.96.0.7"}, status={}),
        HEALTHY,
        "",
    ),
    "Service, without any address": (
        _object("v1", "Service", spec={"type": "LoadBalancer"}, status={}),
        PROGRESSING,
        "no cluster IP yet",
    ),
    "Ingress": (
        _object("networking.k8s.io/v1", "Ingress", spec={}, status={"loadBalancer": {}}),
        HEALTHY,
        "",
    ),
    "HPA without metrics": (
        _object(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            status={"conditions": [_is("ScalingActive", "False", "FailedGetResourceMetric")]},
        ),
        HEALTHY,
        "",
    ),
    "PDB that allows nothing": (
        _object(
            "policy/v1",
            "PodDisruptionBudget",
            generation=1,
            status={"observedGeneration": 1, "conditions": [_is("DisruptionAllowed", "False")]},
        ),
        HEALTHY,
        "",
    ),
    "PDB, unseen": (
        _object("policy/v1", "PodDisruptionBudget", generation=2, status={"observedGeneration": 1}),
        PROGRESSING,
        "generation 2",
    ),
    "PVC": (_object("v1", "PersistentVolumeClaim", status={"phase": "Bound"}), HEALTHY, ""),
    "PVC, not bound": (
        _object("v1", "PersistentVolumeClaim", status={"phase": "Pending"}),
        PROGRESSING,
        "not bound",
    ),
    "PVC, lost": (
        _object("v1", "PersistentVolumeClaim", status={"phase": "Lost"}),
        FAILED,
        "no longer exists",
    ),
    "Namespace": (_object("v1", "Namespace", status={"phase": "Active"}), HEALTHY, ""),
    "Namespace, ending": (
        _object("v1", "Namespace", status={"phase": "Terminating"}),
        TERMINATING,
        "deleted",
    ),
    "Namespace, new": (_object("v1", "Namespace"), PROGRESSING, "not active yet"),
    # Definitions
    "CRD": (_crd(_is("NamesAccepted"), _is("Established")), HEALTHY, ""),
    "CRD, new": (_crd(), PROGRESSING, "not established yet"),
    "CRD, installing": (_crd(_is("Established", "False", "Installing")), PROGRESSING, "not established yet"),
    "CRD, names taken": (
        _crd(_is("Established"), _is("NamesAccepted", "False", message='"shops" is already in use')),
        FAILED,
        "already in use",
    ),
    "CRD, refused": (_crd(_is("Established", "False", "NotAccepted", "names")), FAILED, "names"),
    "APIService": (
        _object("apiregistration.k8s.io/v1", "APIService", status={"conditions": [AVAILABLE]}),
        HEALTHY,
        "",
    ),
    "APIService, down": (
        _object(
            "apiregistration.k8s.io/v1",
            "APIService",
            status={"conditions": [_is("Available", "False", "MissingEndpoints", "no addresses")]},
        ),
        PROGRESSING,
        "no addresses",
    ),
    "APIService, new": (_object("apiregistration.k8s.io/v1", "APIService"), PROGRESSING, "not available yet"),
}


@pytest.mark.parametrize(("live", "status", "message"), CASES.values(), ids=CASES.keys())
def test_each_cell(live: Fields, status: HealthStatus, message: str) -> None:
    """A kind in a state has this health, and the message says what is missing."""
    before = copy.deepcopy(live)

    health = _assess(live)

    assert (health.status, live) == (status, before)
    assert message in health.message
    assert bool(message) == bool(health.message)


def test_every_rule_has_a_healthy_and_another_cell_or_is_healthy_at_once() -> None:
    """The table above covers the table of rules."""
    told = {(live["apiVersion"].rpartition("/")[0], live["kind"]) for live, _, _ in CASES.values()}

    assert set(RULES) <= told


SELECTORS = [
    (SELECTOR, "app=web"),
    ({"matchLabels": {"app": "web", "tier": ""}}, "app=web,tier="),
    (
        {
            "matchLabels": {"app": "web"},
            "matchExpressions": [
                {"key": "tier", "operator": "In", "values": ["a", "b"]},
                {"key": "zone", "operator": "NotIn", "values": ["x"]},
                {"key": "live", "operator": "Exists"},
                {"key": "old", "operator": "DoesNotExist", "values": []},
            ],
        },
        "app=web,tier in (a,b),zone notin (x),live,!old",
    ),
    ({}, ""),
    (None, ""),
    ({"matchLabels": {"app": "web", "tier": 1}}, ""),
    ({"matchLabels": {"app": "web"}, "matchExpressions": "tier"}, ""),
    ({"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "tier", "operator": "Gt"}]}, ""),
    ({"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "tier", "operator": "In"}]}, ""),
]


@pytest.mark.parametrize(("selector", "text"), SELECTORS)
def test_a_workload_that_is_not_healthy_tells_how_to_find_its_pods(selector: Any, text: str) -> None:
    """As kubectl's -l takes it; nothing rather than a selector that would take in other Pods too."""
    assert _assess(_deployment(counts=(1, 1, 1, 1), selector=selector)).selector == text
    assert _assess(_deployment(selector=selector)).selector == ""


def test_selectors_of_other_kinds() -> None:
    """A controller's selector is flat, a failed Job has one, a Service's is nobody's Pods."""
    controller = _replica_set("ReplicationController", readyReplicas=0)
    controller |= {"apiVersion": "v1", "spec": {"replicas": 2, "selector": {"app": "web"}}}
    service = _object("v1", "Service", spec={"type": "LoadBalancer", "selector": {"app": "web"}})

    assert _assess(controller).selector == "app=web"
    assert _assess(_job(_is("Failed"))).selector == "job=one"
    assert _assess(service).selector == ""


def test_an_unplaced_pod_fails_with_time_alone() -> None:
    """The same object, assessed later."""
    pod = _pod("Pending", NO_ROOM, created="2026-05-04T12:00:00Z")

    assert assess(pod, now=NOW + timedelta(seconds=15)).status is PROGRESSING
    assert assess(pod, now=NOW + timedelta(seconds=16)).status is FAILED


def test_foreign_text_is_one_bounded_line() -> None:
    """A message goes into a condition and a log line, however long the controller talks."""
    health = _assess(_custom(_is("Stalled", message="line\n" * 10_000)))

    assert len(health.message) == 400
    assert "\n" not in health.message


ODD: list[Any] = ["", "text", 0, -1, True, 1.5, [], ["text"], [[]], [{}], [{"type": []}], {"type": {}}]


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield (*path, key)
        yield from _places(child, (*path, key))


def _with(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    changed = copy.deepcopy(value)
    parent = changed
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = odd
    return changed


@pytest.mark.parametrize("live", [live for live, _, _ in CASES.values()], ids=CASES.keys())
def test_no_odd_value_anywhere_raises(live: Fields) -> None:
    """Each field of each case in turn holds a value of another type."""
    for path in _places(live):
        for odd in ODD:
            health = _assess(_with(live, path, odd))

            assert isinstance(health.message, str)
            assert isinstance(health.selector, str)


@pytest.mark.parametrize("odd", [odd for odd in ODD if not isinstance(odd, dict)])
@pytest.mark.parametrize("field", ["metadata", "spec", "status"])
def test_an_odd_workload_is_not_healthy(field: str, odd: Any) -> None:
    """Nobody knows what a list in the place of the status means."""
    for live in (_deployment(), _stateful_set(), _daemon_set(), _replica_set(), _job(_is("Complete"))):
        assert _assess({**live, field: odd}).status in (UNKNOWN, PROGRESSING)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(kind=st.sampled_from(sorted(RULES)), spec=JSON, status=JSON, metadata=JSON)
def test_hostile_shapes_never_raise(kind: tuple[str, str], spec: Any, status: Any, metadata: Any) -> None:
    """Whatever stands in the place of spec, status and metadata, an answer comes."""
    group, name = kind
    live = {"apiVersion": f"{group}/v1" if group else "v1", "kind": name, "metadata": metadata}

    assert isinstance(_assess(live | {"spec": spec, "status": status}), Health)


@given(JSON)
def test_what_is_no_object_is_unknown(value: Any) -> None:
    """Neither a text nor a mapping without a kind is healthy."""
    assert _assess(value).status is UNKNOWN
