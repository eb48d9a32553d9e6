"""Variables in what was rendered, with Flux's meaning."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.renderer.child import Renderer


def documents(*objects: dict[str, Any]) -> list[list[Any]]:
    """Return objects as the parent sends what it has parsed itself."""
    return [["app.yaml", index, json.dumps(item).encode()] for index, item in enumerate(objects)]


def config(value: Any, **metadata: Any) -> dict[str, Any]:
    """Return a ConfigMap with one value."""
    described = {"name": "a", **metadata}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": described, "data": {"value": value}}


def substitute(renderer: Renderer, value: Any, variables: dict[str, str]) -> Any:
    """Return what becomes of a value."""
    rendered = renderer.render(
        {}, kind="plain", documents=documents(config(value)), substitute={"vars": variables}
    )
    return rendered.objects[0]["data"]["value"]


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ("${name}", "shop"),
        ("${number}", 3),
        ('"${number}"', '"3"'),
        ("a-${number}", "a-3"),
        ("${flag}", True),
        ("${gone:=8080}", 8080),
        ("${gone:-x}", "x"),
        ("${empty:=z}", "z"),
        ("$${name}", "${name}"),
        ("$name", "$name"),
        ("$(name)", "$(name)"),
        ("${name^^}", "SHOP"),
        ("${name/sh/st}", "stop"),
        ("${lines}", "onetwo"),
    ],
)
def test_a_variable_means_what_it_means_in_flux(renderer: Renderer, value: str, result: Any) -> None:
    """The text of the YAML is replaced, so a value may become a number or a truth value."""
    variables = {"name": "shop", "number": "3", "flag": "true", "empty": "", "lines": "one\ntwo"}

    assert substitute(renderer, value, variables) == result


def test_all_unset_variables_are_named(renderer: Renderer) -> None:
    """A user repairs them at once, and not one after the other."""
    objects = documents(config("${one} ${two}"), config("${three}"), config("${set}"))

    answer = renderer.ask({}, kind="plain", documents=objects, substitute={"vars": {"set": "x"}})

    assert [(e["kind"], e["variable"], e["file"], e["index"]) for e in answer["errors"]] == [
        ("variable_unset", "one", "app.yaml", 0),
        ("variable_unset", "two", "app.yaml", 0),
        ("variable_unset", "three", "app.yaml", 1),
    ]


@pytest.mark.parametrize(
    "metadata",
    [
        {"annotations": {"kustomize.toolkit.fluxcd.io/substitute": "disabled"}},
        {"labels": {"kustomize.toolkit.fluxcd.io/substitute": "disabled"}},
        {"annotations": {"nopea.io/substitute": "false"}},
    ],
)
def test_an_object_can_be_left_out(renderer: Renderer, metadata: dict[str, Any]) -> None:
    """Dashboards are full of ${…} that is not meant for Nopea."""
    rendered = renderer.render(
        {}, kind="plain", documents=documents(config("${unset}", **metadata)), substitute={"vars": {}}
    )

    assert rendered.objects[0]["data"]["value"] == "${unset}"


@pytest.mark.parametrize(
    ("value", "variables", "kind"),
    [
        ("${", {}, "bad_substitution"),
        ("${name", {"name": "x"}, "bad_substitution"),
        ("${a:-" * 60 + "}" * 60, {}, "bad_substitution"),
        ("${name}", {"na-me": "x"}, "bad_substitution"),
        ("${name}", {"name": "hidden: [value"}, "bad_substitution"),
        ("${name}" * 4000, {"name": "x" * 10_000}, "too_big"),
    ],
)
def test_what_cannot_be_replaced_is_refused_without_the_values(
    renderer: Renderer, value: str, variables: dict[str, str], kind: str
) -> None:
    """The values may be from Secrets."""
    error = renderer.refuse(
        {}, kind="plain", documents=documents(config(value)), substitute={"vars": variables}
    )

    assert error["kind"] == kind
    assert "hidden" not in str(error)


def test_a_variable_in_a_secret_is_not_named(renderer: Renderer) -> None:
    """Part of a password may look like one."""
    secret = b'{"apiVersion":"v1","kind":"Secret","metadata":{"name":"x"},"stringData":{"a":"x${hunter2}y"}}'

    error = renderer.refuse(
        {}, kind="plain", documents=[["secret.yaml", 0, secret]], substitute={"vars": {}}, private=True
    )

    assert error["kind"] == "variable_unset"
    assert "hunter2" not in str(error)
