"""The order in which kinds are applied: dependencies first. Looks at group and kind, never at kind alone."""

from __future__ import annotations

import enum

from nopea.core.objects import GroupKind


class Stage(enum.IntEnum):
    """Objects of one stage are applied concurrently; a stage starts when the one before has ended."""

    FOUNDATION = 0  # other objects need their namespace or definition
    RULES = 1  # a claim created before its class, or a Pod before its account, is rejected and not retried
    CONFIG = 2  # what workloads mount, and how they are reached
    WORKLOADS = 3
    REST = 4
    ADMISSION = 5  # a webhook whose backend does not run yet would block everything


_RBAC = "rbac.authorization.k8s.io"
_ADMISSION = "admissionregistration.k8s.io"
_STAGES: dict[Stage, tuple[tuple[str, str], ...]] = {
    Stage.FOUNDATION: (("", "Namespace"), ("apiextensions.k8s.io", "CustomResourceDefinition")),
    Stage.RULES: (
        ("storage.k8s.io", "StorageClass"),
        ("storage.k8s.io", "VolumeAttributesClass"),
        ("storage.k8s.io", "CSIDriver"),
        ("snapshot.storage.k8s.io", "VolumeSnapshotClass"),
        ("scheduling.k8s.io", "PriorityClass"),
        ("node.k8s.io", "RuntimeClass"),
        ("networking.k8s.io", "IngressClass"),
        ("gateway.networking.k8s.io", "GatewayClass"),
        ("resource.k8s.io", "DeviceClass"),
        (_RBAC, "ClusterRole"),
        (_RBAC, "ClusterRoleBinding"),
        (_RBAC, "Role"),
        (_RBAC, "RoleBinding"),
        ("", "ServiceAccount"),
        ("", "ResourceQuota"),
        ("", "LimitRange"),
    ),
    Stage.CONFIG: (
        ("", "ConfigMap"),
        ("", "Secret"),
        ("", "PersistentVolume"),
        ("", "PersistentVolumeClaim"),
        ("", "Service"),
        ("networking.k8s.io", "NetworkPolicy"),
    ),
    Stage.WORKLOADS: (
        ("", "Pod"),
        ("", "ReplicationController"),
        ("apps", "ReplicaSet"),
        ("apps", "Deployment"),
        ("apps", "StatefulSet"),
        ("apps", "DaemonSet"),
        ("batch", "Job"),
        ("batch", "CronJob"),
    ),
    Stage.ADMISSION: (
        (_ADMISSION, "ValidatingWebhookConfiguration"),
        (_ADMISSION, "MutatingWebhookConfiguration"),
        (_ADMISSION, "ValidatingAdmissionPolicy"),
        (_ADMISSION, "ValidatingAdmissionPolicyBinding"),
        (_ADMISSION, "MutatingAdmissionPolicy"),
        (_ADMISSION, "MutatingAdmissionPolicyBinding"),
        ("apiregistration.k8s.io", "APIService"),
    ),
}
_BY_KIND = {GroupKind(*entry): stage for stage, entries in _STAGES.items() for entry in entries}


def stage_of(kind: GroupKind) -> Stage:
    """Return the stage of a kind; kinds that are not in the table are `REST`."""
    return _BY_KIND.get(kind, Stage.REST)
