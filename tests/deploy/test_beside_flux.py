"""Nopea's GitRepository beside Flux's, which has the same kind and plural: what kubectl takes for which."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.deploy.conftest import Api

from nopea.core.api import names
from nopea_lab.kubectl import Kubectl, KubectlError
from nopea_lab.lab import Lab

FLUX = "source.toolkit.fluxcd.io"
OURS = f"{names.PLURAL}.{names.GROUP}"
THEIRS = f"{names.PLURAL}.{FLUX}"
FLUX_CRD: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": THEIRS},
    "spec": {
        "group": FLUX,
        "names": {
            "kind": "GitRepository",
            "listKind": "GitRepositoryList",
            "plural": "gitrepositories",
            "singular": "gitrepository",
            "shortNames": ["gitrepo"],
        },
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
                },
            }
        ],
    },
}
PORTED = {
    "interval": "1m0s",
    "url": "https://git.example/acme/web",
    "ref": {"branch": "main", "commit": "3f2a9c1d5e6b7a8091a2b3c4d5e6f708192a3b4c"},
    "secretRef": {"name": "git-credentials"},
    "timeout": "60s",
    "suspend": False,
}
"""The spec of a GitRepository of Flux, as `kubectl get -o yaml` prints it."""
PORTED_KUSTOMIZATION = {
    "path": "./deploy",
    "prune": True,
    "retryInterval": "30s",
    "wait": True,
    "force": False,
    "targetNamespace": "shop",
    "serviceAccountName": "deployer",
    "dependsOn": [{"name": "infra", "namespace": "platform"}],
    "deletionPolicy": "Orphan",
}
"""What a Kustomization of Flux adds to it, without `sourceRef`."""


@pytest.fixture
def flux(lab: Lab) -> Iterator[None]:
    """Flux's definition, while the test runs."""
    lab.define([FLUX_CRD])
    yield
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{THEIRS}"
    assert lab.request("DELETE", path).status == 200


@pytest.fixture
def fresh_kubectl(kubectl: Kubectl, tmp_path: Path) -> Kubectl:
    """A kubectl that has not yet seen which kinds there are: it caches that for ten minutes."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(kubectl.kubeconfig.read_text())
    return Kubectl(binary=kubectl.binary, kubeconfig=kubeconfig)


def test_the_group_tells_the_two_apart(
    lab: Lab, api: Api, kubectl: Kubectl, fresh_kubectl: Kubectl, flux: None
) -> None:
    """`gr` and the plural with its group are ours, `gitrepo` is Flux's.

    The plural alone is the group that comes first in the alphabet, for kubectl and API servers that are new
    enough to have aggregated discovery.
    """
    del kubectl, flux
    assert api.create({"url": "https://git.example/acme/web"}, keep=True).status == 201
    body = {"apiVersion": f"{FLUX}/v1", "kind": "GitRepository", "metadata": {"name": "theirs"}}
    path = f"/apis/{FLUX}/v1/namespaces/{api.namespace}/gitrepositories"
    assert lab.request("POST", path, body).status == 201

    def get(resource: str) -> str:
        return fresh_kubectl("-n", api.namespace, "get", resource, "-o", "name").strip()

    assert get(OURS) == get("gr") == get("nopea") == f"gitrepository.{names.GROUP}/web"
    assert get(THEIRS) == get("gitrepo") == f"gitrepository.{FLUX}/theirs"
    assert get("gitrepositories") == get("gitrepository") == get("GitRepository") == get("gr")


def test_the_categories_list_our_kinds(api: Api, fresh_kubectl: Kubectl) -> None:
    """`kubectl get nopea` and `kubectl get gitops` list GitRepositories and Inventories."""
    spec = {"repository": "web", "index": 0, "objects": ""}
    assert api.create({"url": "https://git.example/acme/web"}, keep=True).status == 201
    assert api.create(spec, plural=names.INVENTORY_PLURAL, keep=True).status == 201

    for category in ("nopea", "gitops"):
        listed = fresh_kubectl("-n", api.namespace, "get", category, "-o", "name").split()
        assert sorted(listed) == [f"gitrepository.{names.GROUP}/web", f"inventory.{names.GROUP}/web"]


def test_the_short_name_of_flux_is_left_to_flux(api: Api, fresh_kubectl: Kubectl) -> None:
    """Without Flux, `gitrepo` is nothing."""
    with pytest.raises(KubectlError, match="doesn't have a resource type"):
        fresh_kubectl("-n", api.namespace, "get", "gitrepo")


def test_a_spec_of_flux_is_ported_by_copy(dry_api: Api) -> None:
    """The fields of a GitRepository and of its Kustomization are accepted as they are, under one spec."""
    answer = dry_api.create({**PORTED, **PORTED_KUSTOMIZATION})

    assert answer.status == 201, answer.body
    assert answer.body["spec"].items() >= {**PORTED, **PORTED_KUSTOMIZATION}.items()
