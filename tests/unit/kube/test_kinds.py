"""The resources that Nopea itself reads and writes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from nopea.core.objects import RepoKey, Resource
from nopea.kube.kinds import GIT_REPOSITORIES, INVENTORIES, repository_target
from nopea.kube.paths import object_path

CRDS = Path(__file__).parents[3] / "deploy" / "crds"


@pytest.mark.parametrize("resource", [GIT_REPOSITORIES, INVENTORIES])
def test_its_own_kinds_are_those_that_are_installed(resource: Resource) -> None:
    """Group, version, plural and scope are the ones of the shipped definitions."""
    definitions = [
        document
        for file in CRDS.glob("*.yaml")
        for document in yaml.safe_load_all(file.read_text())
        if document["spec"]["names"]["kind"] == resource.kind
    ]

    (spec,) = (definition["spec"] for definition in definitions)
    assert (spec["group"], spec["names"]["plural"]) == (resource.group, resource.plural)
    assert [version["name"] for version in spec["versions"]] == [resource.version]
    assert (spec["scope"] == "Namespaced") is resource.namespaced


def test_the_place_of_a_repository() -> None:
    """A GitRepository is found by its namespace and name."""
    path = object_path(repository_target(RepoKey("shop", "web")))

    assert path == "/apis/nopea.io/v1alpha1/namespaces/shop/gitrepositories/web"
