"""Manifests as YAML, JSON and names."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nopea.cli.output.manifests import commented_yaml, print_manifests, yaml_of
from nopea.cli.rendering import RenderedManifest
from nopea.core.manifests.file import parse_file

SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "key", "namespace": "shop"},
    "data": {"token": "aHVudGVyMg=="},
}
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"])) | st.sampled_from(
    ["y", "n", "on", "no", "~", "null", "1e3", "0o17", "0x1f", "1_000", "12:30:45", "2026-01-01", ".5", "5m",
     "a\nb\n", " a\n  b", "a: b", "# a", "", "a\tb\n", "-", "- a", "=", "<<", "*a", "!a"]
)  # fmt: skip


def _object(**data: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data}


@given(TEXTS)
def test_every_text_is_read_as_the_same_text(text: str) -> None:
    """Kubernetes reads YAML in its own way; what is printed means the same in it."""
    written = yaml_of(_object(value=text))

    parsed = parse_file(written.encode())

    assert parsed.problems == ()
    assert orjson.loads(parsed.documents[0].body)["data"] == {"value": text}


def test_numbers_and_booleans_stay_what_they_are() -> None:
    """A text that looks like one is quoted, others are not."""
    written = yaml_of({"apiVersion": "v1", "kind": "X", "spec": {"a": 1, "b": True, "c": "1e3", "d": "5m"}})

    assert written.endswith('spec:\n  a: 1\n  b: true\n  c: "1e3"\n  d: 5m\n')


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
