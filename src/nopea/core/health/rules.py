"""What each kind needs to be healthy, by kstatus' rules; a table of one function per kind.

Decides for objects whose controller has observed their newest generation; `assess.py` checks that first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from nopea.core.health.fields import NOTHING, LiveFields, mapping, number
from nopea.core.health.pods import is_crashing, is_unschedulable, trouble_of

# The scheduler tells of a Pod that cannot be placed before a node that comes up may take it.
UNSCHEDULABLE_AFTER = timedelta(seconds=15)
_ROLLED_OUT = "NewReplicaSetAvailable"


class HealthStatus(StrEnum):
    """The answer in one word."""

    HEALTHY = "Healthy"
    PROGRESSING = "Progressing"
    FAILED = "Failed"
    TERMINATING = "Terminating"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What is known of an object's health; `message` says in one line what is missing.

    `selector` is the label selector, as `kubectl -l` takes it, of the Pods of a workload that is not healthy:
    `pod_trouble` of those Pods says more. Empty where there is none.
    """

    status: HealthStatus
    message: str = ""
    selector: str = ""


HEALTHY = Health(status=HealthStatus.HEALTHY)


def progressing(message: str) -> Health:
    """Say that it may still become healthy by itself."""
    return Health(status=HealthStatus.PROGRESSING, message=message)


def failed(message: str) -> Health:
    """Say that it will not become healthy by itself."""
    return Health(status=HealthStatus.FAILED, message=message)


def _deployment(it: LiveFields) -> Health:
    if it.reason("Progressing") == "ProgressDeadlineExceeded":
        return failed(it.says("Progressing"))
    wanted, there, updated = it.wants(), it.count("replicas"), it.count("updatedReplicas")
    paused = it.spec.get("paused") is True
    if there < wanted:
        return progressing(it.says("ReplicaFailure") or f"{there} of {wanted} replicas exist")
    if updated < wanted and not paused:
        return progressing(f"{updated} of {wanted} replicas are updated")
    if there > wanted:
        return progressing(f"{there - wanted} old replicas still have to end")
    for state, needed in (("available", wanted if paused else updated), ("ready", wanted)):
        if (count := it.count(f"{state}Replicas")) < needed:
            return progressing(f"{count} of {needed} replicas are {state}")
    watches_progress = it.spec.get("progressDeadlineSeconds") is not None and not paused
    if watches_progress and not (it.has("Progressing") and it.reason("Progressing") == _ROLLED_OUT):
        return progressing(it.says("Progressing") or "the rollout has not ended")
    if not it.has("Available"):
        return progressing(it.says("Available") or "not available")
    return replace(HEALTHY, message="paused") if paused else HEALTHY


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
        return progressing(f"{there - wanted} replicas still have to end")
    rolling = mapping(strategy, "rollingUpdate")
    if rolling.get("partition") is not None:
        needed = wanted - number(rolling, "partition", 0)
        return HEALTHY if updated >= needed else progressing(f"{updated} of {needed} replicas are updated")
    if (current := it.count("currentReplicas")) < wanted:
        return progressing(f"{current} of {wanted} replicas are of the current revision")
    if it.status.get("currentRevision") != it.status.get("updateRevision"):
        return progressing("the current revision is not the newest yet")
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
        del states["updatedNumberScheduled"]  # only a person's deletions update them
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
        return progressing(f"{there - wanted} replicas still have to end")
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
            fails = is_crashing(it.raw) or _is_unplaced_for_long(it)
            told = trouble_of(it.raw) or it.says("Ready") or "not ready"
            return failed(told) if fails else progressing(told)
        case _:
            return Health(status=HealthStatus.UNKNOWN, message="the Pod's phase is not known")


def _is_unplaced_for_long(it: LiveFields) -> bool:
    """Whether no node can take the Pod, and it has waited long enough to say so."""
    if not is_unschedulable(it.conditions.get("PodScheduled", NOTHING)):
        return False
    created = mapping(it.raw, "metadata").get("creationTimestamp")
    if not isinstance(created, str):
        return False
    try:
        return it.now - datetime.fromisoformat(created) > UNSCHEDULABLE_AFTER
    except (TypeError, ValueError):  # no time, or one without its zone
        return False


def _job(it: LiveFields) -> Health:
    for condition in ("Failed", "FailureTarget"):  # the second: it will fail as soon as its Pods have ended
        if it.has(condition):
            return failed(it.says(condition) or "the Job has failed")
    if it.has("Complete"):
        return HEALTHY
    if it.spec.get("suspend") is True and it.has("Suspended"):
        return replace(HEALTHY, message="suspended")
    done, wanted, lost = it.count("succeeded"), it.wants("completions"), it.count("failed")
    told = f"{done} of {wanted} completions, {it.count('active')} running"
    return progressing(f"{told}, {lost} failed" if lost else told)


def _service(it: LiveFields) -> Health:
    if it.spec.get("type") == "LoadBalancer" and not it.spec.get("clusterIP"):
        return progressing("no cluster address yet")
    return HEALTHY


def _claim(it: LiveFields) -> Health:
    match it.status.get("phase"):
        case "Bound":
            return HEALTHY
        case "Lost":
            return failed("the volume that it was bound to is gone")
        case _:  # a claim of a class that binds late waits for its first Pod, which the claim does not tell
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
    """Judge a kind whose conditions are no reason to wait: they tell of others, or of traffic."""
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
