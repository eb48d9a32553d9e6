"""What `nopea migrate` prints is accepted by the API server."""

from __future__ import annotations

from typing import Any

import pytest
from tests.deploy.conftest import Api

from nopea.core.migrate.migrate import ForeignObject, migrate

Json = dict[str, Any]


def _manifest(kind: str, api_version: str, name: str, spec: Json) -> Json:
    return {
        "apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "team"}, "spec": spec
    }  # fmt: skip


SOURCE = _manifest(
    "GitRepository", "source.toolkit.fluxcd.io/v1", "shop",
    {
        "url": "https://git.example/shop", "ref": {"semver": "1.x"}, "interval": "1m0s", "timeout": "60s",
        "secretRef": {"name": "git"}, "proxySecretRef": {"name": "proxy"}, "ignore": "/docs",
    },
)  # fmt: skip
REFERENCE = {"kind": "GitRepository", "name": "shop"}
KUSTOMIZATION = _manifest(
    "Kustomization", "kustomize.toolkit.fluxcd.io/v1", "web",
    {
        "sourceRef": REFERENCE, "interval": "10m0s", "retryInterval": "1m0s", "path": "./", "prune": True,
        "wait": True, "force": False, "suspend": False, "targetNamespace": "shop",
        "serviceAccountName": "deployer", "namePrefix": "a-", "nameSuffix": "-b",
        "images": [{"name": "web", "newName": "acme/web", "newTag": "2", "digest": "sha256:ab"}],
        "patches": [{"patch": "- op: remove\n  path: /a", "target": {"kind": "Deployment"}}],
        "components": ["../tls"], "commonMetadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}},
        "dependsOn": [{"name": "infra", "namespace": "flux-system"}], "deletionPolicy": "WaitForTermination",
        "decryption": {"provider": "sops", "secretRef": {"name": "keys"}},
        "postBuild": {
            "substitute": {"replicas": 3},
            "substituteFrom": [{"kind": "Secret", "name": "variables", "optional": True}],
        },
    },
)  # fmt: skip
HELM_RELEASE = _manifest(
    "HelmRelease", "helm.toolkit.fluxcd.io/v2", "chart",
    {
        "interval": "10m0s",
        "chart": {"spec": {"chart": "./charts/web", "sourceRef": REFERENCE, "valuesFiles": ["a.yaml"]}},
        "releaseName": "web", "targetNamespace": "shop", "values": {"a": {"b": [1, True, None]}},
        "valuesFrom": [{"kind": "ConfigMap", "name": "v", "valuesKey": "k", "optional": True}],
        "install": {"crds": "Skip"},
    },
)  # fmt: skip
APPLICATION = _manifest(
    "Application", "argoproj.io/v1alpha1", "application",
    {
        "project": "default",
        "source": {
            "repoURL": "https://git.example/shop", "targetRevision": "main", "path": "deploy",
            "directory": {"exclude": "{a.json,b/*}"},
        },
        "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"},
        "syncPolicy": {
            "automated": {"prune": True, "selfHeal": True},
            "retry": {"backoff": {"maxDuration": "3m"}},
        },
        "ignoreDifferences": [
            {"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/replicas"],
             "managedFieldsManagers": ["kube-controller-manager"]},
            {"kind": "Service", "jsonPointers": ["/spec/clusterIP"]},
        ],
    },
)  # fmt: skip
KUSTOMIZED = _manifest(
    "Application", "argoproj.io/v1alpha1", "kustomized",
    {
        "source": {
            "repoURL": "git@git.example:shop.git", "targetRevision": "a" * 40, "path": "deploy",
            "kustomize": {
                "namePrefix": "a-", "images": ["web=acme/web:2@sha256:ab"], "components": ["tls"],
                "commonAnnotations": {"a": "b"}, "patches": [{"patch": "a: b", "target": {"name": "x"}}],
            },
        },
        "destination": {"name": "in-cluster"},
    },
)  # fmt: skip
CHART = _manifest(
    "Application", "argoproj.io/v1alpha1", "chart",
    {
        "source": {
            "repoURL": "https://git.example/shop", "targetRevision": "v1.2.3", "path": "charts/web",
            "helm": {
                "releaseName": "web", "valueFiles": ["prod.yaml"], "values": "a: 1", "skipCrds": True,
                "parameters": [{"name": "image.tag", "value": "2"}], "kubeVersion": "1.30.0",
                "apiVersions": ["a.example/v1"],
            },
        },
        "destination": {"server": "https://kubernetes.default.svc"},
    },
)  # fmt: skip


REGISTRY = _manifest(
    "OCIRepository", "source.toolkit.fluxcd.io/v1", "redis",
    {"url": "oci://registry.example/charts/redis", "ref": {"semver": "1.x"}, "secretRef": {"name": "login"}},
)  # fmt: skip
FROM_REGISTRY = _manifest(
    "HelmRelease", "helm.toolkit.fluxcd.io/v2", "from-registry",
    {"interval": "10m0s", "chartRef": {"kind": "OCIRepository", "name": "redis"}, "values": {"a": 1}},
)  # fmt: skip


@pytest.mark.parametrize(
    "manifest",
    [KUSTOMIZATION, HELM_RELEASE, APPLICATION, KUSTOMIZED, CHART, FROM_REGISTRY],
    ids=lambda manifest: manifest["metadata"]["name"],
)
def test_a_migrated_object_is_accepted(dry_api: Api, manifest: Json) -> None:
    """With every field that is mapped; strict validation refuses fields that do not exist."""
    (made,) = migrate([ForeignObject(SOURCE), ForeignObject(REGISTRY), ForeignObject(manifest)])
    assert made.manifest is not None
    assert [note for note in made.notes if "invalid" in note or note.startswith("not mapped")] == []

    answer = dry_api.create(dict(made.manifest["spec"]))

    assert answer.status == 201, answer.body
