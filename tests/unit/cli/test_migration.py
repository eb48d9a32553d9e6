"""Finding the objects of other tools in a folder and in a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.fakes.cluster import FakeCluster
from tests.fakes.object_store import KINDS

from nopea.cli.migration import find_in_cluster, find_in_folder, find_in_text
from nopea.core.objects import Resource
from nopea.kube.errors import ApiFailure, ForbiddenError

SOURCE = Resource(
    group="source.toolkit.fluxcd.io", version="v1", kind="GitRepository", plural="gitrepositories",
    namespaced=True,
)  # fmt: skip
APPLICATION = Resource(
    group="argoproj.io", version="v1alpha1", kind="Application", plural="applications", namespaced=True
)
FORBIDDEN = ForbiddenError(ApiFailure(code=403, reason="Forbidden", message="no"))


def _cluster() -> FakeCluster:
    cluster = FakeCluster(kinds=(*KINDS, SOURCE, APPLICATION), namespaces=("flux-system", "shop"))
    for namespace in ("flux-system", "shop"):
        for resource in (SOURCE, APPLICATION):
            metadata = {"name": namespace, "namespace": namespace}
            body = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
            cluster.create(body, manager="kubectl")
    return cluster


async def _found(cluster: FakeCluster, namespace: str | None) -> list[str]:
    found = await find_in_cluster(cluster.client, namespace)
    return sorted(f"{each.kind.kind} {each.manifest['metadata']['namespace']}" for each in found)


async def test_all_namespaces_are_read() -> None:
    """Kinds that the cluster does not serve are left out."""
    assert await _found(_cluster(), None) == [
        "Application flux-system", "Application shop", "GitRepository flux-system", "GitRepository shop",
    ]  # fmt: skip


async def test_sources_may_be_in_another_namespace() -> None:
    """A Kustomization can name a GitRepository anywhere."""
    assert await _found(_cluster(), "shop") == [
        "Application shop", "GitRepository flux-system", "GitRepository shop",
    ]  # fmt: skip


async def test_rights_in_one_namespace_are_enough() -> None:
    """Then the sources in it are read."""
    cluster = _cluster()
    cluster.fail_next("list", SOURCE, FORBIDDEN)

    assert await _found(cluster, "shop") == ["Application shop", "GitRepository shop"]


async def test_without_rights_it_is_an_error() -> None:
    """A list that lacks objects would be mistaken for all."""
    cluster = _cluster()
    cluster.fail_next("list", APPLICATION, FORBIDDEN)

    with pytest.raises(ForbiddenError):
        await find_in_cluster(cluster.client, None)


def test_files_of_other_tools_do_not_matter(tmp_path: Path) -> None:
    """Values, templates and patches are no problems; a broken file that names the API of Flux is one."""
    flux = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: a}\n"
    (tmp_path / "kustomization.yaml").write_text("resources: [flux.yaml]\n")
    (tmp_path / "values.yaml").write_text("replicas: 1\n")
    (tmp_path / "template.yaml").write_text("{{ if .x }}\n")
    (tmp_path / "flux.yaml").write_text(flux)
    (tmp_path / "broken.yaml").write_text(f"{flux}kind: GitRepository\n")

    found, problems = find_in_folder(tmp_path)

    assert [each.origin for each in found] == ["GitRepository a in flux.yaml#1"]
    assert [(problem.code, problem.source) for problem in problems] == [("NOPEA-M004", "broken.yaml:4")]


def test_standard_input_is_a_file() -> None:
    """What a chart or an overlay renders to can be piped in."""
    found, problems = find_in_text(
        b"apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a}\n"
    )

    assert ([each.place for each in found], problems) == (["-#1"], [])
