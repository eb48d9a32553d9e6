"""Render charts/nopea as `helm template` does, with the project's own renderer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.renderer.child import Renderer, program

CHART = Path(__file__).parents[2] / "charts" / "nopea"
NAMESPACE = "nopea-system"
Object = dict[str, Any]


def render(*, release: str = "nopea", namespace: str = NAMESPACE, **values: Any) -> list[Object]:
    """Return the objects of a release with these values."""
    _need_program()
    with Renderer() as running:
        return running.render(_files(), **_request(release, namespace, values)).objects


def refuse(**values: Any) -> dict[str, Any]:
    """Return the error for values that the chart refuses."""
    _need_program()
    with Renderer() as running:
        return running.refuse(_files(), **_request("nopea", NAMESPACE, values))


def _need_program() -> None:
    if program() is None:
        pytest.skip("nopea-render is not built; run `make renderer`")


def _files() -> dict[str, str | bytes]:
    paths = [path for path in CHART.rglob("*") if path.is_file()]
    return {f"nopea/{path.relative_to(CHART).as_posix()}": path.read_bytes() for path in paths}


def _request(release: str, namespace: str, values: dict[str, Any]) -> dict[str, Any]:
    helm = {
        "releaseName": release, "namespace": namespace, "values": values, "valuesFiles": [],
        "includeCRDs": True, "kubeVersion": "v1.36.0", "apiVersions": [], "chart": "nopea",
    }  # fmt: skip
    return {"kind": "helm", "helm": helm}


def pod_of(objects: list[Object]) -> Object:
    """Return the Pod's spec of the Deployment among the objects."""
    (deployment,) = (one for one in objects if one["kind"] == "Deployment")
    spec: Object = deployment["spec"]["template"]["spec"]
    return spec


def variables_of(objects: list[Object]) -> dict[str, Any]:
    """Return the container's variables: a text, or what it refers to."""
    (container,) = pod_of(objects)["containers"]
    names = [variable["name"] for variable in container["env"]]
    assert len(names) == len(set(names)), names
    return {one["name"]: one["value"] if "value" in one else one["valueFrom"] for one in container["env"]}
