"""Examining the API server: versions, definitions, other tools."""

from __future__ import annotations

from typing import Any

import pytest
from tests.fakes.cluster import FakeCluster
from tests.fakes.object_store import served

from nopea.cli.doctor.api_server import (
    NOT_INSTALLED,
    examine_definitions,
    examine_neighbours,
    examine_version,
)
from nopea.cli.doctor.finding import Verdict
from nopea.cli.installation.profiles import definitions
from nopea.core.objects import ObjectKey, Resource
from nopea.kube.errors import ApiFailure, ForbiddenError
from nopea.kube.kinds import DEFINITIONS
from nopea.kube.requests import ApiRequest


class OldCluster(FakeCluster):
    """Says another version than a recent one."""

    said = "v1.29.9-eks-1"

    def answer(self, request: ApiRequest, headers: Any) -> Any:
        """Answer with its version."""
        if request.path == "/version":
            return 200, {"gitVersion": self.said}
        return super().answer(request, headers)


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ("v1.29.9-eks-1", Verdict.PROBLEM),
        ("v1.30.0+k3s1", Verdict.GOOD),
        ("v2.0.0", Verdict.GOOD),
        ("?", Verdict.UNKNOWN),
    ],
)
async def test_an_old_kubernetes_is_a_problem(said: str, verdict: Verdict) -> None:
    """Vendors add to the version; numbers are compared as numbers."""
    cluster = OldCluster()
    cluster.said = said

    assert [each.verdict async for each in examine_version(cluster.client)] == [verdict]


def store(cluster: FakeCluster, *, stored: str = "v1alpha1", established: bool = True) -> None:
    """Store Nopea's definitions as the API server has them."""
    for definition in definitions():
        name = definition["metadata"]["name"]
        conditions = [
            {"type": "NamesAccepted", "status": str(established), "message": '"gr" is taken'},
            {"type": "Established", "status": str(established), "message": "not all names are accepted"},
        ]
        status = {"conditions": conditions, "storedVersions": [stored]}
        key = ObjectKey("apiextensions.k8s.io", "CustomResourceDefinition", "", name)
        cluster.objects[key] = {**definition, "status": status}


async def texts(cluster: FakeCluster) -> list[str]:
    """Return what is found about the definitions."""
    return [each.message async for each in examine_definitions(cluster.client)]


async def test_the_definitions_of_this_version_are_fine() -> None:
    """One line for both."""
    cluster = FakeCluster()
    store(cluster)

    assert await texts(cluster) == ["GitRepository and Inventory (v1alpha1) are established."]


async def test_definitions_of_another_version_are_found() -> None:
    """With an older schema, without the version, or with objects in a version that nobody knows."""
    cluster = FakeCluster()
    store(cluster, stored="v9")
    key = next(key for key in cluster.objects if key.name == "inventories.nopea.io")
    version = cluster.objects[key]["spec"]["versions"][0]
    cluster.objects[key]["spec"] = {"versions": [{**version, "schema": {}}]}

    first, second, third = await texts(cluster)
    assert first.startswith("Objects of gitrepositories.nopea.io may be stored as v9, which")
    assert second.startswith("Objects of inventories.nopea.io may be stored as v9, which")
    assert third.startswith("CustomResourceDefinition inventories.nopea.io is not that of this version")
    cluster.objects[key]["spec"] = {"versions": [{**version, "name": "v1"}]}
    assert (await texts(cluster))[-1] == (
        "CustomResourceDefinition inventories.nopea.io does not have the version v1alpha1."
    )


async def test_names_that_are_taken_are_told() -> None:
    """By another definition with the same short name."""
    cluster = FakeCluster()
    store(cluster, established=False)

    assert (await texts(cluster))[0] == (
        'CustomResourceDefinition gitrepositories.nopea.io is not established: "gr" is taken'
    )


async def test_missing_definitions_are_one_line() -> None:
    """None: Nopea is not installed. One: somebody deleted it."""
    cluster = FakeCluster()

    assert [each.subject async for each in examine_definitions(cluster.client)] == [NOT_INSTALLED]
    store(cluster)
    del cluster.objects[next(key for key in cluster.objects if key.name == "inventories.nopea.io")]
    assert (await texts(cluster))[0] == "CustomResourceDefinition inventories.nopea.io does not exist."


async def test_who_may_not_read_definitions_is_told_so() -> None:
    """Discovery, which everybody may read, says whether they are served."""
    cluster = FakeCluster()
    cluster.fail_next("get", DEFINITIONS, ForbiddenError(ApiFailure(code=403)))

    assert await texts(cluster) == [
        "nopea.io/v1alpha1 is served. You may not read its CustomResourceDefinitions."
    ]


def kind(group: str, name: str, plural: str) -> Resource:
    """Return a kind of another tool."""
    return served(Resource(group=group, version="v1", kind=name, plural=plural, namespaced=True))


async def test_other_tools_are_named() -> None:
    """Flux has the same plural, so the full names are told."""
    cluster = FakeCluster()
    assert [each async for each in examine_neighbours(cluster.client)] == []
    cluster.kinds += [
        kind("source.toolkit.fluxcd.io", "GitRepository", "gitrepositories"),
        kind("argoproj.io", "Application", "applications"),
    ]

    found = [each async for each in examine_neighbours(cluster.client)]

    assert [each.verdict for each in found] == [Verdict.WARNING, Verdict.WARNING]
    assert "`gitrepositories.source.toolkit.fluxcd.io` for Flux's" in found[0].message
    cluster.down = True
    assert [each.verdict async for each in examine_neighbours(cluster.client)] == [Verdict.UNKNOWN]
