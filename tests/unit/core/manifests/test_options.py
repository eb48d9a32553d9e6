"""What the renderer is asked to do with a folder."""

from __future__ import annotations

from typing import Any

import pytest

from nopea.core.api.repository import parse_spec
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.manifests.inputs import NO_INPUTS, UNKNOWN, Capabilities, RenderInputs
from nopea.core.manifests.options import digest_of, render_options, transformation
from nopea.core.manifests.tool import Tool
from nopea.core.objects import RepoKey

OWNER = RepoKey("shop", "web")
KNOWN = Capabilities(kube_version="v1.36.0", api_versions=("v1",))


def _spec(**fields: Any) -> GitRepositorySpec:
    spec = parse_spec({"url": "https://git.acme.example/web.git", **fields})
    assert isinstance(spec, GitRepositorySpec)
    return spec


def test_a_chart_gets_the_name_and_the_namespace_of_its_repository() -> None:
    """And knows the cluster, unless the spec says more."""
    found = render_options(_spec(), OWNER, Tool.HELM, NO_INPUTS, KNOWN)["helm"]

    assert (found["releaseName"], found["namespace"]) == ("web", "shop")
    assert (found["kubeVersion"], found["apiVersions"]) == ("v1.36.0", ["v1"])


def test_the_spec_of_a_chart_comes_first() -> None:
    """The values of the cluster follow those of the repository's files."""
    helm = {
        "releaseName": "api",
        "kubeVersion": "v1.30.0",
        "apiVersions": ["x/v1"],
        "valuesFiles": ["a.yaml"],
    }
    inputs = RenderInputs(values={"Secret vals": b"a: 1"})

    found = render_options(_spec(helm=helm, targetNamespace="apps"), OWNER, Tool.HELM, inputs, KNOWN)["helm"]

    assert (found["releaseName"], found["namespace"], found["kubeVersion"]) == ("api", "apps", "v1.30.0")
    assert found["apiVersions"] == ["v1", "x/v1"]
    assert found["valuesFiles"] == ["a.yaml", "Secret vals"]


def test_a_kustomization_gets_the_changes_of_the_spec() -> None:
    """It knows nothing of a chart."""
    found = render_options(_spec(kustomize={"namePrefix": "x-"}), OWNER, Tool.KUSTOMIZE, NO_INPUTS, UNKNOWN)

    assert found["kustomize"]["namePrefix"] == "x-"
    assert "helm" not in found


@pytest.mark.parametrize(
    ("inputs", "asked"),
    [
        (NO_INPUTS, {}),
        (RenderInputs(variables={}), {"substitute": {"vars": {}}}),
        (RenderInputs(decrypts=True, age=("k",)), {"decryption": {"age": ["k"], "pgp": []}}),
        (
            RenderInputs(variables={"a": "1"}, private=True),
            {"substitute": {"vars": {"a": "1"}}, "private": True},
        ),
    ],
    ids=["nothing", "no variables", "keys", "variables of a Secret"],
)
def test_what_is_not_given_is_not_asked_for(inputs: RenderInputs, asked: dict[str, Any]) -> None:
    """Without variables nothing is substituted, which is not the same as with none."""
    assert transformation(inputs) == asked


def test_each_input_is_in_the_digest() -> None:
    """Values are, too: they are not among the options."""
    given = [
        digest_of(transformation(each), each)
        for each in (
            NO_INPUTS,
            RenderInputs(variables={}),
            RenderInputs(values={"a": b"1"}),
            RenderInputs(values={"a": b"2"}),
            RenderInputs(decrypts=True, age=("k",)),
        )
    ]

    assert len(set(given)) == len(given)
