"""Reading what is installed: its version, its profile, its tool."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.fakes.cluster import FakeCluster

from nopea import __version__
from nopea.cli.cluster import CommandError
from nopea.cli.installation.installed import (
    MANAGER,
    Installed,
    find_installed,
    image_for,
    tag_of,
    with_tag,
)
from nopea.core.objects import ObjectKey
from nopea.kube.errors import ApiFailure, ForbiddenError
from nopea.kube.kinds import CLUSTER_ROLE_BINDINGS

IMAGES = [
    ("nopea:0.1.0", "0.1.0", "nopea:2"),
    ("registry.example:5000/acme/nopea:0.1.0", "0.1.0", "registry.example:5000/acme/nopea:2"),
    ("registry.example:5000/acme/nopea", "", "registry.example:5000/acme/nopea:2"),
    ("registry.example/nopea:1@sha256:00", "1", None),
]


@pytest.mark.parametrize(("image", "tag", "new"), IMAGES)
def test_the_tag_of_an_image_is_exchanged(image: str, tag: str, new: str | None) -> None:
    """A port is not a tag, and a digest has precedence over one."""
    assert tag_of(image) == tag
    assert with_tag(image, "2") == new


def bind(cluster: FakeCluster, namespace: str = "nopea-system", account: str = "nopea") -> None:
    """Give a service account Nopea's rights, as only an administrator can."""
    cluster.create(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": f"{namespace}-nopea", "labels": {"app.kubernetes.io/part-of": "nopea"}},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "nopea"},
            "subjects": [
                {"kind": "Group", "name": "admins"},
                {"kind": "ServiceAccount", "name": account, "namespace": namespace},
            ],
        }
    )


def store(
    cluster: FakeCluster,
    manager: str,
    namespace: str = "nopea-system",
    *,
    image: str = "nopea:0.0.9",
    account: str = "nopea",
    **metadata: Any,
) -> None:
    """Store a Deployment of Nopea as a tool writes it."""
    ours = {"app.kubernetes.io/name": "nopea", "app.kubernetes.io/part-of": "nopea"}
    labels = {**ours, **metadata.pop("labels", {})}
    containers = [{"name": "istio-proxy", "image": "proxy:1"}, {"name": "nopea", "image": image}]
    cluster.create(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "nopea", "namespace": namespace, "labels": labels, **metadata},
            "spec": {"template": {"spec": {"serviceAccountName": account, "containers": containers}}},
        },
        manager=manager,
    )


@pytest.mark.parametrize(
    ("manager", "labels", "tool"),
    [
        (MANAGER, {}, MANAGER),
        ("helm", {"app.kubernetes.io/managed-by": "Helm"}, "Helm"),
        ("kustomize-controller", {}, "kustomize-controller"),
    ],
)
async def test_the_tool_is_told_by_label_and_manager(manager: str, labels: dict[str, str], tool: str) -> None:
    """Without a label of the version, the tag of the image is the version."""
    cluster = FakeCluster(namespaces=("nopea-system",))
    bind(cluster)
    store(cluster, manager, labels=labels, annotations={"nopea.io/profile": "cluster-admin"})

    found = await find_installed(cluster.client)

    assert found is not None
    assert (found.tool, found.version, found.profile) == (tool, "0.0.9", "cluster-admin")


async def test_a_tenant_makes_no_installation() -> None:
    """A Deployment counts by the rights of its service account: its labels and its manager are anybody's."""
    cluster = FakeCluster(namespaces=("nopea-system", "team", "gitops"))
    store(
        cluster, MANAGER, "team", image="evil.example/nopea:9", labels={"app.kubernetes.io/version": "9.0.0"}
    )
    assert await find_installed(cluster.client) is None
    bind(cluster, "gitops", "deployer")
    store(cluster, "helm", "gitops", account="default")
    assert await find_installed(cluster.client) is None
    cluster.delete(ObjectKey("apps", "Deployment", "gitops", "nopea"))
    store(cluster, "helm", "gitops", account="deployer", labels={"app.kubernetes.io/name": "two"})

    found = await find_installed(cluster.client)

    assert found is not None
    assert (found.namespace, found.version) == ("gitops", "0.0.9")
    bind(cluster)
    store(cluster, MANAGER, image="nopea:1")
    usual = await find_installed(cluster.client)
    assert usual is not None
    assert (usual.namespace, usual.image) == ("nopea-system", "nopea:1")


async def test_the_usual_namespace_is_enough() -> None:
    """Who may not list ClusterRoleBindings can still look."""
    cluster = FakeCluster(namespaces=("nopea-system", "team"))
    store(cluster, MANAGER, "team")
    cluster.fail_next("list", CLUSTER_ROLE_BINDINGS, ForbiddenError(ApiFailure(code=403)), times=2)
    assert await find_installed(cluster.client) is None
    store(cluster, MANAGER, annotations={"nopea.io/profile": "rubbish"})

    found = await find_installed(cluster.client)

    assert found is not None
    assert found.profile is None
    assert await find_installed(FakeCluster().client) is None


def test_the_image_is_kept_with_the_tag_of_this_version() -> None:
    """Of the same version it is kept as it is; a digest cannot be exchanged."""
    assert image_for(None) == f"nopea:{__version__}"
    there: dict[str, Any] = {"namespace": "nopea-system", "profile": None, "tool": MANAGER}
    same = Installed(image="registry.example/nopea@sha256:00", version=__version__, **there)
    old = Installed(image="registry.example/nopea:stable", version="0.0.1", **there)

    assert image_for(same) == same.image
    assert image_for(old) == f"registry.example/nopea:{__version__}"
    with pytest.raises(CommandError):
        image_for(replace(same, version="0.0.1"))
