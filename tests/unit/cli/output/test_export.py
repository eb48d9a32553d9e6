"""GitRepositories as manifests for another cluster."""

from __future__ import annotations

from nopea.cli.output.export import exported, needs
from nopea.core.api.names import (
    HEAL_REQUESTED_ANNOTATION,
    REPOSITORY_LABEL,
    ROLLBACK_ANNOTATION,
    SYNC_REQUESTED_ANNOTATION,
)

RAW = {
    "apiVersion": "nopea.io/v1alpha1",
    "kind": "GitRepository",
    "metadata": {
        "name": "web",
        "namespace": "shop",
        "uid": "1",
        "resourceVersion": "7",
        "finalizers": ["nopea.io/prune"],
        "managedFields": [{}],
        "labels": {"team": "a", REPOSITORY_LABEL: "root"},
        "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": "{}",
            SYNC_REQUESTED_ANNOTATION: "now",
            HEAL_REQUESTED_ANNOTATION: "now",
            ROLLBACK_ANNOTATION: "a" * 40,
            "team.example/on-call": "ann",
        },
    },
    "spec": {
        "url": "https://git.example/web.git",
        "secretRef": {"name": "git"},
        "serviceAccountName": "deployer",
        "postBuild": {"substituteFrom": [{"kind": "ConfigMap", "name": "cluster"}]},
        "helm": {
            "valuesFrom": [{"kind": "Secret", "name": "values", "key": "v"}],
            "secretRef": {"name": "git"},
        },
    },
    "status": {"summary": "fine"},
}


def test_what_belongs_to_this_cluster_is_left_out() -> None:
    """No status, ids, managers, finalizers, labels of an owner, nor requests; a rollback is what runs."""
    assert exported(RAW) == {
        "apiVersion": "nopea.io/v1alpha1",
        "kind": "GitRepository",
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "labels": {"team": "a"},
            "annotations": {ROLLBACK_ANNOTATION: "a" * 40, "team.example/on-call": "ann"},
        },
        "spec": RAW["spec"],
    }


def test_what_a_repository_needs_is_named() -> None:
    """Each with the field that refers to it."""
    assert needs(RAW) == [
        "Secret shop/git (spec.secretRef)",
        "ServiceAccount shop/deployer (spec.serviceAccountName)",
        "ConfigMap shop/cluster (spec.postBuild.substituteFrom[0])",
        "Secret shop/values (spec.helm.valuesFrom[0])",
        "Secret shop/git (spec.helm.secretRef)",
    ]
