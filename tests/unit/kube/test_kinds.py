"""The resources that Nopea itself uses."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from nopea.core.objects import RepoKey, Resource
from nopea.kube.kinds import GIT_REPOSITORIES, INVENTORIES, repository_target
from nopea.kube.paths import object_path

CRDS = Path(__file__).parents[3] / "deploy" / "base" / "crds"


@pytest.mark.parametrize("resource", [GIT_REPOSITORIES, INVENTORIES])
def test_own_kinds_match_the_crds(resource: Resource) -> None:
    """Group, version, plural and scope are those of the CRDs in deploy/base/crds/."""
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


def test_the_path_of_a_repository() -> None:
    """The path contains the namespace and the name."""
    path = object_path(repository_target(RepoKey("shop", "web")))

    assert path == "/apis/nopea.io/v1alpha1/namespaces/shop/gitrepositories/web"
