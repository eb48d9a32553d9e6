"""The health rules of kstatus: a table with one function per kind.

Decides for objects whose controller has observed their newest generation; `assess.py` checks that first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from nopea.core.health.fields import LiveFields, mapping, number
from nopea.core.health.pods import is_crashing, trouble_of, unplaced_until

_ROLLED_OUT = "NewReplicaSetAvailable"


class HealthStatus(StrEnum):
    """The health in one word."""

    HEALTHY = "Healthy"
    PROGRESSING = "Progressing"
    FAILED = "Unhealthy"
    TERMINATING = "Terminating"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """An object's health; `message` says in one line what is missing.

    `selector` is the label selector, as `kubectl -l` takes it, of the Pods of an unhealthy workload:
    `pod_trouble` of those Pods says more. It is empty otherwise, and while there are none. After `until`, the
    object has failed although it did not change: see `at`.
    """

    status: HealthStatus
    message: str = ""
    selector: str = ""
    until: datetime | None = None

    def at(self, now: datetime) -> Health:
        """Return the health of the unchanged object at another time."""
        return failed(self.message) if self.until is not None and now > self.until else self


HEALTHY = Health(status=HealthStatus.HEALTHY)


def progressing(message: str) -> Health:
    """Return the health of an object that may still become healthy without a person."""
    return Health(status=HealthStatus.PROGRESSING, message=message)


def failed(message: str) -> Health:
    """Return the health of an object that will not become healthy without a person."""
    return Health(status=HealthStatus.FAILED, message=message)


def _deployment(it: LiveFields) -> Health:
    if it.reason("Progressing") == "ProgressDeadlineExceeded":
        return failed(it.says("Progressing"))
    wanted, there, updated = it.wants(), it.count("replicas"), it.count("updatedReplicas")
    paused = it.spec.get("paused") is True
    ready = replace(HEALTHY, message="paused") if paused else HEALTHY
    if there < wanted:
        return progressing(it.says("ReplicaFailure") or f"{there} of {wanted} replicas exist")
    if updated < wanted and not paused:
        return progressing(f"{updated} of {wanted} replicas are updated")
    if there > wanted:
        return progressing(f"{there - wanted} old replicas are still terminating")
    for state, needed in (("available", wanted if paused else updated), ("ready", wanted)):
        if (count := it.count(f"{state}Replicas")) < needed:
            return progressing(f"{count} of {needed} replicas are {state}")
    if not wanted:
        return ready  # as with a StatefulSet: what its controller still has to report makes no difference
    watches_progress = it.spec.get("progressDeadlineSeconds") is not None and not paused
    if watches_progress and not (it.has("Progressing") and it.reason("Progressing") == _ROLLED_OUT):
        return progressing(it.says("Progressing") or "the rollout has not finished")
    if not it.has("Available"):
        return progressing(it.says("Available") or "not available")
    return ready


def _stateful_set(it: LiveFields) -> Health:
    strategy = mapping(it.spec, "updateStrategy")
    if strategy.get("type") == "OnDelete":
        return HEALTHY
    wanted, there, updated = it.wants(), it.count("replicas"), it.count("updatedReplicas")
    if there < wanted:
        return progressing(f"{there} of {wanted} replicas exist")
    if (ready := it.count("readyReplicas")) < wanted:
        return progressing(f"{ready} of {wanted} replicas are ready")
    if there > wanted:
        return progressing(f"{there - wanted} replicas are still terminating")
    rolling = mapping(strategy, "rollingUpdate")
    if rolling.get("partition") is not None:
        needed = wanted - number(rolling, "partition", 0)
        return HEALTHY if updated >= needed else progressing(f"{updated} of {needed} replicas are updated")
    if (current := it.count("currentReplicas")) < wanted:
        return progressing(f"{current} of {wanted} replicas have the current revision")
    if it.status.get("currentRevision") != it.status.get("updateRevision"):
        return progressing("the rollout of the newest revision has not finished")
    return HEALTHY


def _daemon_set(it: LiveFields) -> Health:
    if it.generation is None or it.observed is None or it.status.get("desiredNumberScheduled") is None:
        return progressing("not observed yet")
    wanted = it.count("desiredNumberScheduled")
    states = {
        "currentNumberScheduled": "are scheduled",
        "updatedNumberScheduled": "are updated",
        "numberAvailable": "are available",
        "numberReady": "are ready",
    }
    if mapping(it.spec, "updateStrategy").get("type") == "OnDelete":
        del states["updatedNumberScheduled"]  # Pods are updated only when somebody deletes them
    return _counted(it, states, wanted)


def _replica_set(it: LiveFields) -> Health:
    if it.has("ReplicaFailure"):
        return progressing(it.says("ReplicaFailure"))
    wanted, there = it.wants(), it.count("replicas")
    states = {
        "fullyLabeledReplicas": "have every label",
        "availableReplicas": "are available",
        "readyReplicas": "are ready",
    }
    counted = _counted(it, states, wanted)
    if counted.status is HealthStatus.HEALTHY and there > wanted:
        return progressing(f"{there - wanted} replicas are still terminating")
    return counted


def _counted(it: LiveFields, states: Mapping[str, str], wanted: int) -> Health:
    for field, state in states.items():
        if (count := it.count(field)) < wanted:
            return progressing(f"{count} of {wanted} replicas {state}")
    return HEALTHY


def _pod(it: LiveFields) -> Health:
    match it.status.get("phase"):
        case "Succeeded":
            return HEALTHY
        case "Failed":
            return failed(trouble_of(it.raw) or "the Pod has failed")
        case "Running" if it.has("Ready"):
            return HEALTHY
        case "Running" | "Pending" | None:
            cause = trouble_of(it.raw) or it.says("Ready") or "not ready"
            if is_crashing(it.raw):
                return failed(cause)
            return replace(progressing(cause), until=unplaced_until(it.raw)).at(it.now)
        case _:
            return Health(status=HealthStatus.UNKNOWN, message="unknown Pod phase")


def _job(it: LiveFields) -> Health:
    for condition in ("Failed", "FailureTarget"):  # FailureTarget: it fails as soon as its Pods have ended
        if it.has(condition):
            return failed(it.says(condition) or "the Job has failed")
    if it.has("Complete"):
        return HEALTHY
    if it.spec.get("suspend") is True and it.has("Suspended"):
        return replace(HEALTHY, message="suspended")
    done, wanted, lost = it.count("succeeded"), it.wants("completions"), it.count("failed")
    counts = f"{done} of {wanted} completions, {it.count('active')} running"
    return progressing(f"{counts}, {lost} failed" if lost else counts)


def _service(it: LiveFields) -> Health:
    if it.spec.get("type") == "LoadBalancer" and not it.spec.get("clusterIP"):
        return progressing("no cluster IP yet")
    return HEALTHY


def _claim(it: LiveFields) -> Health:
    match it.status.get("phase"):
        case "Bound":
            return HEALTHY
        case "Lost":
            return failed("the bound volume no longer exists")
        case _:  # WaitForFirstConsumer: the claim does not say that it waits for a Pod
            return progressing("not bound yet, or not used by a Pod yet")


def _definition(it: LiveFields) -> Health:
    if it.has("NamesAccepted", "False"):
        return failed(it.says("NamesAccepted"))
    if it.has("Established"):
        return HEALTHY
    if it.has("Established", "False") and it.reason("Established") != "Installing":
        return failed(it.says("Established"))
    return progressing("not established yet")


def _api_service(it: LiveFields) -> Health:
    return HEALTHY if it.has("Available") else progressing(it.says("Available") or "not available yet")


def _namespace(it: LiveFields) -> Health:
    match it.status.get("phase"):
        case "Active":
            return HEALTHY
        case "Terminating":
            return Health(status=HealthStatus.TERMINATING, message="being deleted")
        case _:
            return progressing("not active yet")


def _at_once(it: LiveFields) -> Health:
    """Assess a kind whose conditions are about other objects or traffic: always healthy."""
    del it
    return HEALTHY


RULES: Mapping[tuple[str, str], Callable[[LiveFields], Health]] = {
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful_set,
    ("apps", "DaemonSet"): _daemon_set,
    ("apps", "ReplicaSet"): _replica_set,
    ("", "ReplicationController"): _replica_set,
    ("", "Pod"): _pod,
    ("batch", "Job"): _job,
    ("batch", "CronJob"): _at_once,
    ("", "Service"): _service,
    ("", "PersistentVolumeClaim"): _claim,
    ("", "Namespace"): _namespace,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
    ("apiregistration.k8s.io", "APIService"): _api_service,
    ("policy", "PodDisruptionBudget"): _at_once,
    ("autoscaling", "HorizontalPodAutoscaler"): _at_once,
    ("networking.k8s.io", "Ingress"): _at_once,
}
