"""What `nopea migrate` prints is accepted by the API server."""

from __future__ import annotations

from typing import Any

import pytest
from tests.deploy.conftest import Api

from nopea.core.migrate.migrate import ForeignObject, migrate
from nopea.core.migrate.violations import violations

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
    {
        "url": "oci://registry.example/charts/redis", "secretRef": {"name": "login"},
        "ref": {"tag": "1.2.3", "digest": f"sha256:{'0' * 64}"},
    },
)  # fmt: skip
FROM_REGISTRY = _manifest(
    "HelmRelease", "helm.toolkit.fluxcd.io/v2", "from-registry",
    {"interval": "10m0s", "chartRef": {"kind": "OCIRepository", "name": "redis"}, "values": {"a": 1}},
)  # fmt: skip
CHARTS = _manifest(
    "HelmRepository", "source.toolkit.fluxcd.io/v1", "charts", {"url": "https://charts.example/stable/"}
)
HELM_CHART = _manifest(
    "HelmChart", "source.toolkit.fluxcd.io/v1", "redis",
    {"chart": "redis", "version": ">=1.0 <2.0", "sourceRef": {"kind": "HelmRepository", "name": "charts"}},
)  # fmt: skip
FROM_HELM_CHART = _manifest(
    "HelmRelease", "helm.toolkit.fluxcd.io/v2", "from-helm-chart",
    {"interval": "10m0s", "chartRef": {"kind": "HelmChart", "name": "redis"}},
)  # fmt: skip
WITHOUT_VERSION = _manifest(
    "HelmRelease", "helm.toolkit.fluxcd.io/v2", "without-version",
    {"chart": {"spec": {"chart": "redis", "sourceRef": {"kind": "HelmRepository", "name": "charts"}}}},
)  # fmt: skip
PAIR = _manifest(
    "Application", "argoproj.io/v1alpha1", "pair",
    {
        "sources": [
            {
                "repoURL": "registry.example:5000/charts", "chart": "redis", "targetRevision": "1.2.*",
                "helm": {"valueFiles": ["$values/prod/redis.yaml"], "releaseName": "redis"},
            },
            {"repoURL": "https://git.example/shop", "targetRevision": "main", "ref": "values"},
        ],
        "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"},
    },
)  # fmt: skip
DOTS = _manifest(
    "Kustomization", "kustomize.toolkit.fluxcd.io/v1", "dots",
    {"sourceRef": REFERENCE, "path": "./a/../../"},
)  # fmt: skip
GIVEN = (SOURCE, REGISTRY, CHARTS, HELM_CHART)


@pytest.mark.parametrize(
    "manifest",
    [
        KUSTOMIZATION, HELM_RELEASE, APPLICATION, KUSTOMIZED, CHART, FROM_REGISTRY, FROM_HELM_CHART,
        WITHOUT_VERSION, PAIR, DOTS,
    ],
    ids=lambda manifest: manifest["metadata"]["name"],
)  # fmt: skip
def test_a_migrated_object_is_accepted(dry_api: Api, manifest: Json) -> None:
    """With every field that is mapped; strict validation refuses fields that do not exist."""
    (made,) = migrate(map(ForeignObject, (*GIVEN, manifest)))
    assert made.manifest is not None
    assert [note for note in made.notes if note.startswith("not mapped")] == []

    answer = dry_api.create(dict(made.manifest["spec"]))

    assert answer.status == 201, answer.body


@pytest.mark.parametrize(
    "fields",
    [
        *({"url": url} for url in (
            "https://bot:x@git.example/web", "ssh://git:x@git.example/web", "ssh://git@git.example/web",
            "git@git.example:web", "oci://git.example/web", "https://git.example/a b",
            "https://git.example/web\n", "file://a@git.example/web",
        )),
        *({"path": path} for path in ("a/..", "..", "a/..b", "/a", "a//b", "a/../b")),
        *({"helm": {"chart": chart}} for chart in (
            "charts/../web", "charts/web", "oci://h/web", "oci://h", "https://u@h/web", "https://h/web?a=b",
            "http://h/web", "https://h/web/", "https://h/a b",
        )),
        *({"interval": interval} for interval in ("999ms", "1s", "8760h", "8761h")),
        *({"timeout": timeout} for timeout in ("999ms", "1h", "61m")),
        {"retryInterval": "10ms"}, {"healGracePeriod": "8761h"}, {"healGracePeriod": "0s"},
    ],
    ids=str,
)  # fmt: skip
def test_the_api_server_refuses_what_violates_a_rule(dry_api: Api, fields: Json) -> None:
    """Before a GitRepository is printed, the same rules are evaluated."""
    spec = {"url": "https://git.example/web", **fields}

    answer = dry_api.create(spec)

    assert [message for _, message in violations(spec) if message not in answer.body["message"]] == []
    assert answer.status == (422 if violations(spec) else 201), answer.body
