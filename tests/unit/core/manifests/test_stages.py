"""The order in which kinds are applied."""

from __future__ import annotations

import pytest

from nopea.core.manifests.stages import Stage, stage_of
from nopea.core.objects import GroupKind

RBAC, ADMISSION = "rbac.authorization.k8s.io", "admissionregistration.k8s.io"
NEEDS = [
    (GroupKind("", "ConfigMap"), GroupKind("", "Namespace")),
    (GroupKind("acme.example", "Shop"), GroupKind("apiextensions.k8s.io", "CustomResourceDefinition")),
    (GroupKind("", "PersistentVolumeClaim"), GroupKind("storage.k8s.io", "StorageClass")),
    (GroupKind("apps", "Deployment"), GroupKind("", "ServiceAccount")),
    (GroupKind("apps", "Deployment"), GroupKind("scheduling.k8s.io", "PriorityClass")),
    (GroupKind("apps", "StatefulSet"), GroupKind("", "PersistentVolumeClaim")),
    (GroupKind("apps", "DaemonSet"), GroupKind("", "Secret")),
    (GroupKind("batch", "Job"), GroupKind(RBAC, "RoleBinding")),
    (GroupKind("", "Pod"), GroupKind("", "LimitRange")),
    (GroupKind("networking.k8s.io", "Ingress"), GroupKind("networking.k8s.io", "IngressClass")),
    (GroupKind("autoscaling", "HorizontalPodAutoscaler"), GroupKind("apps", "Deployment")),
    (GroupKind(ADMISSION, "ValidatingWebhookConfiguration"), GroupKind("apps", "Deployment")),
    (GroupKind(ADMISSION, "MutatingWebhookConfiguration"), GroupKind("acme.example", "Shop")),
    (GroupKind("apiregistration.k8s.io", "APIService"), GroupKind("", "Service")),
]


@pytest.mark.parametrize(("kind", "needed"), NEEDS, ids=str)
def test_dependencies_come_first(kind: GroupKind, needed: GroupKind) -> None:
    """An object that needs another one to exist is applied in a later stage."""
    assert stage_of(needed) < stage_of(kind)


@pytest.mark.parametrize(
    "kind",
    [
        GroupKind("serving.acme.example", "Service"),
        GroupKind("acme.example", "Namespace"),
        GroupKind("", "CustomResourceDefinition"),
        GroupKind("acme.example", "Deployment"),
    ],
    ids=str,
)
def test_a_kind_of_another_group_is_another_kind(kind: GroupKind) -> None:
    """Kinds with a well-known name in another group are custom resources."""
    assert stage_of(kind) is Stage.REST
