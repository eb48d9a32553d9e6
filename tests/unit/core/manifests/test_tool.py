"""The tools whose input a folder can be."""

from __future__ import annotations

from nopea.core.manifests.tool import Tool


def test_the_values_are_those_of_the_renderer() -> None:
    """They are on the wire."""
    assert [tool.value for tool in Tool] == ["kustomize", "helm", "plain"]
