"""Manifests as YAML, JSON and names."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nopea.cli.output.manifests import commented_yaml, print_manifests
from nopea.cli.rendering import RenderedManifest
from nopea.core.manifests.file import parse_file

SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "key", "namespace": "shop"},
    "data": {"token": "aHVudGVyMg=="},
}


def _object(**data: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data}


def test_a_comment_cannot_become_a_line_of_its_own() -> None:
    """Names in a repository must not add fields to an object that a user applies."""
    written = commented_yaml(_object(), ["From: a\nspec: {url: evil}\x1b[2J"])

    assert written.splitlines()[1] == "# From: a spec: {url: evil} [2J"
    assert len(parse_file(written.encode()).documents) == 1


def test_values_of_secrets_are_masked(capsys: pytest.CaptureFixture[str]) -> None:
    """In YAML and JSON, unless they are asked for."""
    manifests = [RenderedManifest(source="a.yaml#1", object=SECRET)]

    for output in ("yaml", "json"):
        print_manifests(manifests, output, show_secrets=False)
        shown = capsys.readouterr().out
        assert ("aHVudGVyMg==" in shown, "token" in shown) == (False, True)
        print_manifests(manifests, output, show_secrets=True)
        assert "aHVudGVyMg==" in capsys.readouterr().out


def test_json_is_a_list_that_kubectl_takes(capsys: pytest.CaptureFixture[str]) -> None:
    """One document of kind List."""
    print_manifests([RenderedManifest(source="a.yaml#1", object=_object())], "json", show_secrets=False)

    assert json.loads(capsys.readouterr().out) == {"apiVersion": "v1", "kind": "List", "items": [_object()]}


def test_names_are_those_of_other_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """They can be given to `nopea heal`."""
    print_manifests([RenderedManifest(source="a.yaml#1", object=SECRET)], "name", show_secrets=False)

    assert capsys.readouterr().out == "Secret shop/key\n"
