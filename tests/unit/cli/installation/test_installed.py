"""Reading what is installed: its version, its profile, its tool."""

from __future__ import annotations

from typing import Any

import pytest
from tests.fakes.cluster import FakeCluster

from nopea.cli.installation.installed import MANAGER, find_installed, tag_of, with_tag
from nopea.kube.errors import ApiFailure, ForbiddenError
from nopea.kube.kinds import DEPLOYMENTS

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


def store(cluster: FakeCluster, manager: str, namespace: str = "nopea-system", **metadata: Any) -> None:
    """Store a Deployment of Nopea as a tool writes it."""
    labels = {"app.kubernetes.io/name": "nopea", **metadata.pop("labels", {})}
    cluster.create(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "nopea", "namespace": namespace, "labels": labels, **metadata},
            "spec": {"template": {"spec": {"containers": [{"name": "nopea", "image": "nopea:0.0.9"}]}}},
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
    store(cluster, manager, labels=labels, annotations={"nopea.io/profile": "cluster-admin"})

    found = await find_installed(cluster.client)

    assert found is not None
    assert (found.tool, found.version, found.profile) == (tool, "0.0.9", "cluster-admin")


async def test_the_usual_namespace_is_enough() -> None:
    """Who may not list all Deployments can still upgrade."""
    cluster = FakeCluster(namespaces=("nopea-system",))
    store(cluster, MANAGER, annotations={"nopea.io/profile": "rubbish"})
    cluster.fail_next("list", DEPLOYMENTS, ForbiddenError(ApiFailure(code=403)))

    found = await find_installed(cluster.client)

    assert found is not None
    assert found.profile is None
    assert await find_installed(FakeCluster().client) is None
