"""The health rule of every kind, as a table."""

from __future__ import annotations

import copy

import pytest
from tests.unit.core.health.objects import (
    AVAILABLE,
    EXPIRED,
    FAILED,
    HEALTHY,
    NO_ROOM,
    PROGRESSING,
    ROLLED_OUT,
    TERMINATING,
    UNKNOWN,
    Fields,
    condition,
    crd,
    custom,
    daemon_set,
    deployment,
    health_of,
    job,
    live_object,
    pod,
    replica_set,
    stateful_set,
    waiting,
)

from nopea.core.health.assess import HealthStatus
from nopea.core.health.rules import RULES

CASES: dict[str, tuple[Fields, HealthStatus, str]] = {
    # The checks for all kinds, in their order
    "deleted": (
        live_object("v1", "ConfigMap", deletionTimestamp="2026-05-04T11:59:00Z"),
        TERMINATING,
        "deleted",
    ),
    "deleted, held by a finalizer": (
        {
            **custom(condition("Stalled")),
            "metadata": {"deletionTimestamp": "x", "finalizers": ["acme.example/a"]},
        },
        TERMINATING,
        "waiting for finalizers acme.example/a",
    ),
    "an old generation is observed": (
        custom(condition("Ready"), condition("Stalled"), observedGeneration=1),
        PROGRESSING,
        "generation 2 has not been observed yet, the last one is 1",
    ),
    "an observed generation that no number can be": (
        custom(condition("Ready"), observedGeneration="9" * 5000),
        UNKNOWN,
        "observedGeneration is not a number",
    ),
    "the observed generation as text": (
        custom(condition("Ready"), observedGeneration="1"),
        PROGRESSING,
        "2 has not",
    ),
    "reconciling before stalled": (
        custom(condition("Stalled", message="bad"), condition("Reconciling", message="step 2")),
        PROGRESSING,
        "step 2",
    ),
    "stalled before ready": (custom(condition("Ready"), condition("Stalled", message="bad")), FAILED, "bad"),
    "a stalled Deployment of another controller": (
        deployment(conditions=(condition("Stalled", reason="Broken"),)),
        FAILED,
        "Broken",
    ),
    # Kinds without a rule
    "custom, ready": (custom(condition("Ready"), observedGeneration=2), HEALTHY, ""),
    "custom, not ready": (
        custom(condition("Ready", "False", "Waits", "waits for a\nname")),
        PROGRESSING,
        "waits for a name",
    ),
    "custom, unknown": (custom(condition("Ready", "Unknown", "Waits")), PROGRESSING, "Waits"),
    "custom, not ready without a word": (custom(condition("Ready", "False")), PROGRESSING, "not ready"),
    "custom, ready for an older generation": (
        custom(condition("Ready", observedGeneration=1)),
        PROGRESSING,
        "the condition Ready is about generation 1, the newest is 2",
    ),
    "custom, ready for this generation": (custom(condition("Ready", observedGeneration=2)), HEALTHY, ""),
    "custom, without conditions": (custom(), HEALTHY, ""),
    "custom, without status": (live_object("acme.example/v1", "Shop", spec={}), HEALTHY, ""),
    "custom, named like a workload": (
        live_object("acme.example/v1", "Deployment", spec={"replicas": 3}),
        HEALTHY,
        "",
    ),
    "custom, a spec of any shape": ({**custom(condition("Ready")), "spec": ["a"]}, HEALTHY, ""),
    "ConfigMap": (live_object("v1", "ConfigMap"), HEALTHY, ""),
    "Secret": (live_object("v1", "Secret"), HEALTHY, ""),
    # Deployment
    "Deployment": (deployment(), HEALTHY, ""),
    "Deployment, new": (live_object("apps/v1", "Deployment", spec={}), PROGRESSING, "0 of 1 replicas exist"),
    "Deployment, too few": (deployment(counts=(2, 2, 2, 2)), PROGRESSING, "2 of 3 replicas exist"),
    "Deployment, refused by a quota": (
        deployment(counts=(0, 0, 0, 0), conditions=(condition("ReplicaFailure", message="exceeded quota"),)),
        PROGRESSING,
        "exceeded quota",
    ),
    "Deployment, not updated": (deployment(counts=(3, 1, 3, 3)), PROGRESSING, "1 of 3 replicas are updated"),
    "Deployment, old ones": (
        deployment(counts=(4, 3, 4, 4)),
        PROGRESSING,
        "1 old replicas are still terminating",
    ),
    "Deployment, not available": (
        deployment(counts=(3, 3, 2, 3)),
        PROGRESSING,
        "2 of 3 replicas are available",
    ),
    "Deployment, not ready": (deployment(counts=(3, 3, 3, 1)), PROGRESSING, "1 of 3 replicas are ready"),
    "Deployment, on its way": (
        deployment(
            conditions=(condition("Progressing", reason="ReplicaSetUpdated", message="goes on"), AVAILABLE)
        ),
        PROGRESSING,
        "goes on",
    ),
    "Deployment, no deadline": (
        deployment(conditions=(AVAILABLE,), progressDeadlineSeconds=None),
        HEALTHY,
        "",
    ),
    "Deployment, no condition Available": (
        deployment(conditions=(ROLLED_OUT,)),
        PROGRESSING,
        "not available",
    ),
    "Deployment, out of time": (deployment(counts=(3, 1, 1, 1), conditions=(EXPIRED,)), FAILED, "timed out"),
    "Deployment, of none": (deployment(0, counts=(0, 0, 0, 0)), HEALTHY, ""),
    "Deployment, of none, just created": (
        live_object(
            "apps/v1", "Deployment", generation=1, spec={"replicas": 0, "progressDeadlineSeconds": 600}
        ),
        HEALTHY,
        "",
    ),
    "Deployment, of none, while its ReplicaSet is created": (
        deployment(
            0, counts=(0, 0, 0, 0), conditions=(condition("Progressing", reason="ReplicaSetUpdated"),)
        ),
        HEALTHY,
        "",
    ),
    "Deployment, of none, with Pods left": (
        deployment(0, counts=(2, 0, 0, 0)),
        PROGRESSING,
        "2 old replicas are still terminating",
    ),
    "Deployment, of none, out of time": (
        deployment(0, counts=(0, 0, 0, 0), conditions=(EXPIRED,)),
        FAILED,
        "timed out",
    ),
    "Deployment, paused in the middle": (
        deployment(counts=(3, 1, 3, 3), conditions=(AVAILABLE,), paused=True),
        HEALTHY,
        "paused",
    ),
    "Deployment, paused and down": (
        deployment(counts=(3, 1, 2, 2), conditions=(AVAILABLE,), paused=True),
        PROGRESSING,
        "2 of 3 replicas are available",
    ),
    # StatefulSet
    "StatefulSet": (stateful_set(), HEALTHY, ""),
    "StatefulSet, on delete": (
        stateful_set({"updateStrategy": {"type": "OnDelete"}}, readyReplicas=0),
        HEALTHY,
        "",
    ),
    "StatefulSet, too few": (stateful_set(replicas=1), PROGRESSING, "1 of 3 replicas exist"),
    "StatefulSet, not ready": (stateful_set(readyReplicas=2), PROGRESSING, "2 of 3 replicas are ready"),
    "StatefulSet, too many": (stateful_set(replicas=4), PROGRESSING, "1 replicas are still terminating"),
    "StatefulSet, partition": (
        stateful_set(
            {"updateStrategy": {"rollingUpdate": {"partition": 2}}}, updatedReplicas=1, currentReplicas=2
        ),
        HEALTHY,
        "",
    ),
    "StatefulSet, partition to go": (
        stateful_set({"updateStrategy": {"rollingUpdate": {"partition": 1}}}, updatedReplicas=1),
        PROGRESSING,
        "1 of 2 replicas are updated",
    ),
    "StatefulSet, old": (stateful_set(currentReplicas=2), PROGRESSING, "2 of 3 replicas have the current"),
    "StatefulSet, two revisions": (
        stateful_set(updateRevision="web-2"),
        PROGRESSING,
        "newest revision has not finished",
    ),
    # DaemonSet
    "DaemonSet": (daemon_set(), HEALTHY, ""),
    "DaemonSet, no node": (
        daemon_set(
            desiredNumberScheduled=0,
            currentNumberScheduled=0,
            updatedNumberScheduled=0,
            numberAvailable=0,
            numberReady=0,
        ),
        HEALTHY,
        "",
    ),
    "DaemonSet, unseen": (daemon_set(observedGeneration=None), PROGRESSING, "not observed yet"),
    "DaemonSet, uncounted": (daemon_set(desiredNumberScheduled=None), PROGRESSING, "not observed yet"),
    "DaemonSet, not placed": (
        daemon_set(currentNumberScheduled=1),
        PROGRESSING,
        "1 of 2 replicas are scheduled",
    ),
    "DaemonSet, not updated": (
        daemon_set(updatedNumberScheduled=1),
        PROGRESSING,
        "1 of 2 replicas are updated",
    ),
    "DaemonSet, on delete": (
        daemon_set({"updateStrategy": {"type": "OnDelete"}}, updatedNumberScheduled=0),
        HEALTHY,
        "",
    ),
    "DaemonSet, not available": (
        daemon_set(numberAvailable=0),
        PROGRESSING,
        "0 of 2 replicas are available",
    ),
    "DaemonSet, not ready": (daemon_set(numberReady=1), PROGRESSING, "1 of 2 replicas are ready"),
    # ReplicaSet, ReplicationController
    "ReplicaSet": (replica_set(), HEALTHY, ""),
    "ReplicaSet, refused": (
        replica_set(conditions=[condition("ReplicaFailure", message="no quota")]),
        PROGRESSING,
        "no quota",
    ),
    "ReplicaSet, unlabelled": (
        replica_set(fullyLabeledReplicas=1),
        PROGRESSING,
        "1 of 2 replicas have every label",
    ),
    "ReplicaSet, not available": (
        replica_set(availableReplicas=0),
        PROGRESSING,
        "0 of 2 replicas are available",
    ),
    "ReplicaSet, not ready": (replica_set(readyReplicas=1), PROGRESSING, "1 of 2 replicas are ready"),
    "ReplicaSet, too many": (replica_set(replicas=3), PROGRESSING, "1 replicas are still terminating"),
    "ReplicationController": (
        {**replica_set("ReplicationController", readyReplicas=0), "apiVersion": "v1"},
        PROGRESSING,
        "0 of 2 replicas are ready",
    ),
    # Pod
    "Pod, succeeded": (pod("Succeeded"), HEALTHY, ""),
    "Pod, failed": (pod("Failed"), FAILED, "the Pod has failed"),
    "Pod, evicted": (
        pod("Failed", reason="Evicted", message="low on memory"),
        FAILED,
        "Evicted: low on memory",
    ),
    "Pod, ready": (pod("Running", condition("Ready")), HEALTHY, ""),
    "Pod, not ready": (
        pod("Running", condition("Ready", "False", message="unready: [web]")),
        PROGRESSING,
        "unready",
    ),
    "Pod, crashing": (
        pod(
            "Running",
            condition("Ready", "False"),
            containerStatuses=waiting("CrashLoopBackOff", "back-off 5m0s"),
        ),
        FAILED,
        "container web: CrashLoopBackOff: back-off 5m0s",
    ),
    "Pod, crashing before it starts": (
        pod("Pending", initContainerStatuses=waiting("CrashLoopBackOff")),
        FAILED,
        "init container web: CrashLoopBackOff",
    ),
    "Pod, without its image": (
        pod("Pending", containerStatuses=waiting("ImagePullBackOff", "no such image")),
        PROGRESSING,
        "container web: ImagePullBackOff: no such image",
    ),
    "Pod, new": (pod("Pending"), PROGRESSING, "not ready"),
    "Pod, without status": (live_object("v1", "Pod", spec={}), PROGRESSING, "not ready"),
    "Pod, just not placed": (
        pod("Pending", NO_ROOM, created="2026-05-04T11:59:50Z"),
        PROGRESSING,
        "Insufficient",
    ),
    "Pod, not placed for long": (
        pod("Pending", NO_ROOM, created="2026-05-04T11:59:40Z"),
        FAILED,
        "Insufficient cpu",
    ),
    "Pod, not placed since nobody knows": (
        pod("Pending", NO_ROOM, created="today"),
        PROGRESSING,
        "Insufficient",
    ),
    "Pod, not placed since a time without zone, which is UTC": (
        pod("Pending", NO_ROOM, created="2026-05-04T11:00:00"),
        FAILED,
        "Insufficient cpu",
    ),
    "Pod, held by a gate": (
        pod("Pending", condition("PodScheduled", "False", "SchedulingGated")),
        PROGRESSING,
        "not ready",
    ),
    "Pod, of another phase": (pod("Dreaming"), UNKNOWN, "unknown Pod phase"),
    # Job
    "Job, new": (live_object("batch/v1", "Job", spec={}), PROGRESSING, "0 of 1 completions, 0 running"),
    "Job, running": (
        job(completions=3, startTime="2026-05-04T11:00:00Z", active=2, succeeded=1, failed=1),
        PROGRESSING,
        "1 of 3 completions, 2 running, 1 failed",
    ),
    "Job, complete": (job(condition("SuccessCriteriaMet"), condition("Complete")), HEALTHY, ""),
    "Job, failed": (
        job(condition("Failed", message="Job has reached the limit")),
        FAILED,
        "has reached the limit",
    ),
    "Job, about to fail": (
        job(condition("FailureTarget", reason="BackoffLimitExceeded")),
        FAILED,
        "BackoffLimitExceeded",
    ),
    "Job, suspended": (job(condition("Suspended"), suspend=True), HEALTHY, "suspended"),
    "Job, about to be suspended": (job(suspend=True, active=1), PROGRESSING, "1 running"),
    "Job, resumed": (job(condition("Suspended", "False"), active=1), PROGRESSING, "1 running"),
    "CronJob": (live_object("batch/v1", "CronJob", spec={"suspend": True}, status={}), HEALTHY, ""),
    # Networking, storage, policy, scaling: progressing only if the object cannot work yet
    "Service": (
        live_object("v1", "Service", spec={"type": "ClusterIP"}, status={"loadBalancer": {}}),
        HEALTHY,
        "",
    ),
    "Service, without an address outside": (
        live_object("v1", "Service", spec={"type": "LoadBalancer", "clusterIP": "10.96.0.7"}, status={}),
        HEALTHY,
        "",
    ),
    "Service, without any address": (
        live_object("v1", "Service", spec={"type": "LoadBalancer"}, status={}),
        PROGRESSING,
        "no cluster IP yet",
    ),
    "Ingress": (
        live_object("networking.k8s.io/v1", "Ingress", spec={}, status={"loadBalancer": {}}),
        HEALTHY,
        "",
    ),
    "HPA without metrics": (
        live_object(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            status={"conditions": [condition("ScalingActive", "False", "FailedGetResourceMetric")]},
        ),
        HEALTHY,
        "",
    ),
    "PDB that allows nothing": (
        live_object(
            "policy/v1",
            "PodDisruptionBudget",
            generation=1,
            status={"observedGeneration": 1, "conditions": [condition("DisruptionAllowed", "False")]},
        ),
        HEALTHY,
        "",
    ),
    "PDB, unseen": (
        live_object("policy/v1", "PodDisruptionBudget", generation=2, status={"observedGeneration": 1}),
        PROGRESSING,
        "generation 2",
    ),
    "PVC": (live_object("v1", "PersistentVolumeClaim", status={"phase": "Bound"}), HEALTHY, ""),
    "PVC, not bound": (
        live_object("v1", "PersistentVolumeClaim", status={"phase": "Pending"}),
        PROGRESSING,
        "not bound",
    ),
    "PVC, lost": (
        live_object("v1", "PersistentVolumeClaim", status={"phase": "Lost"}),
        FAILED,
        "no longer exists",
    ),
    "Namespace": (live_object("v1", "Namespace", status={"phase": "Active"}), HEALTHY, ""),
    "Namespace, ending": (
        live_object("v1", "Namespace", status={"phase": "Terminating"}),
        TERMINATING,
        "deleted",
    ),
    "Namespace, new": (live_object("v1", "Namespace"), PROGRESSING, "not active yet"),
    # CustomResourceDefinitions and APIServices
    "CRD": (crd(condition("NamesAccepted"), condition("Established")), HEALTHY, ""),
    "CRD, new": (crd(), PROGRESSING, "not established yet"),
    "CRD, installing": (
        crd(condition("Established", "False", "Installing")),
        PROGRESSING,
        "not established yet",
    ),
    "CRD, names taken": (
        crd(
            condition("Established"), condition("NamesAccepted", "False", message='"shops" is already in use')
        ),
        FAILED,
        "already in use",
    ),
    "CRD, refused": (crd(condition("Established", "False", "NotAccepted", "names")), FAILED, "names"),
    "APIService": (
        live_object("apiregistration.k8s.io/v1", "APIService", status={"conditions": [AVAILABLE]}),
        HEALTHY,
        "",
    ),
    "APIService, down": (
        live_object(
            "apiregistration.k8s.io/v1",
            "APIService",
            status={"conditions": [condition("Available", "False", "MissingEndpoints", "no addresses")]},
        ),
        PROGRESSING,
        "no addresses",
    ),
    "APIService, new": (
        live_object("apiregistration.k8s.io/v1", "APIService"),
        PROGRESSING,
        "not available yet",
    ),
}


@pytest.mark.parametrize(("live", "status", "message"), CASES.values(), ids=CASES.keys())
def test_each_case(live: Fields, status: HealthStatus, message: str) -> None:
    """An object in a state has this health, and the message says what is missing."""
    before = copy.deepcopy(live)

    health = health_of(live)

    assert (health.status, live) == (status, before)
    assert message in health.message
    assert bool(message) == bool(health.message)


def test_every_rule_has_a_case() -> None:
    """The table covers every kind with a rule."""
    covered = {(live["apiVersion"].rpartition("/")[0], live["kind"]) for live, _, _ in CASES.values()}

    assert set(RULES) <= covered
