"""Whose changes count, and what a spec leaves to others."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.core.apply.owned import JSON, TRIES

from nopea.core.api.spec import IgnoreRule
from nopea.core.apply.ignore_rules import (
    PEOPLE,
    IgnoreRules,
    ManagerPatterns,
    fields_without,
    rules_for,
    without_pointers,
)
from nopea.core.objects import ObjectKey

WEB = ObjectKey("apps", "Deployment", "shop", "web")
POINTERS = st.lists(
    st.sampled_from(["", "/", "/spec", "/spec/containers/0", "/a", "/b~1c~0d", "/0", "/-", "/00", "/x/y/z"]),
    max_size=4,
)


@pytest.mark.parametrize(
    "manager",
    [
        "kubectl", "kubectl-edit", "kubectl-client-side-apply", "kubectl-patch", "k9s", "Rancher", "rancher",
        "rancher-ui", "Mozilla", "Lens", "OpenLens", "node-fetch", "headlamp", "KUBECTL-EDIT",
    ],
)  # fmt: skip
def test_tools_of_people(manager: str) -> None:
    """A person works through one of these, whatever their case."""
    assert PEOPLE.matches(manager)


@pytest.mark.parametrize(
    "manager",
    ["nopea", "kube-controller-manager", "helm", "my-kubectl", "acme-operator", "", None, 1, "silence"],
)
def test_controllers_are_no_people(manager: Any) -> None:
    """Everybody else is a controller, also those whose name only contains a tool's."""
    assert not PEOPLE.matches(manager)


def test_patterns_take_characters_as_they_are() -> None:
    """A dot is a dot, and a pattern is matched to its end."""
    patterns = ManagerPatterns(("acme.tool", "team-?"))
    assert patterns.matches("acme.tool")
    assert not patterns.matches("acmextool")
    assert patterns.matches("team-a")
    assert not patterns.matches("team-ab")
    assert not patterns.matches("team-a\n")


@pytest.mark.parametrize(
    ("selectors", "matches"),
    [
        ({}, True),
        ({"group": "apps"}, True),
        ({"group": ""}, False),
        ({"kind": "Deployment", "group": "apps", "name": "web", "namespace": "shop"}, True),
        ({"kind": "Deployment", "name": "other"}, False),
        ({"namespace": "other"}, False),
        ({"kind": "Service"}, False),
    ],
)
def test_every_given_selector_must_match(selectors: dict[str, str], *, matches: bool) -> None:
    """A selector that is not given matches all; an empty group is the core group."""
    rule = IgnoreRule(json_pointers=("/spec/replicas",), managers=("scaler",), **selectors)
    found = rules_for([rule], WEB)
    assert found == (
        IgnoreRules(pointers=("/spec/replicas",), managers=("scaler",)) if matches else IgnoreRules()
    )


def test_rules_add_up_once_each() -> None:
    """Several rules for one object are all in force."""
    one = IgnoreRule(json_pointers=("/a", "/b"))
    other = IgnoreRule(json_pointers=("/b",), managers=("x*",))
    rules = rules_for([one, other], WEB)
    assert rules == IgnoreRules(pointers=("/a", "/b"), managers=("x*",))
    assert rules.ignores_manager("xyz")
    assert not rules.ignores_manager("abc")
    assert not IgnoreRules().ignores_manager("abc")
    assert rules_for([one], ObjectKey("", "Service", "shop", "web")).pointers == ("/a", "/b")
    assert rules_for(
        [IgnoreRule(group="", managers=("x",))], ObjectKey("", "Service", "a", "b")
    ).managers == ("x",)


@pytest.mark.parametrize(
    ("pointer", "left"),
    [
        ("/a", {"list": [{"x": 1, "y": 2}, "q"], "m/n~o": 1}),
        ("/list/0/x", {"a": {"b": 1}, "list": [{"y": 2}, "q"], "m/n~o": 1}),
        ("/list/1", {"a": {"b": 1}, "list": [{"x": 1, "y": 2}, None], "m/n~o": 1}),
        ("/m~1n~0o", {"a": {"b": 1}, "list": [{"x": 1, "y": 2}, "q"]}),
        ("/a/b", {"a": {}, "list": [{"x": 1, "y": 2}, "q"], "m/n~o": 1}),
    ],
)
def test_pointers_take_away_a_field_and_what_is_below(pointer: str, left: Any) -> None:
    """Items go by index and leave their place; `~1` is a slash, `~0` a tilde."""
    value = {"a": {"b": 1}, "list": [{"x": 1, "y": 2}, "q"], "m/n~o": 1}
    before = copy.deepcopy(value)
    assert without_pointers(value, [pointer]) == left
    assert value == before


@pytest.mark.parametrize(
    "pointer", ["", "a", "/", "/none", "/list/2", "/list/-", "/list/01", "/a/b/c", "/list/x"]
)
def test_pointers_that_name_nothing_do_nothing(pointer: str) -> None:
    """A rule may be for another object of the kind."""
    value = {"a": {"b": 1}, "list": [{"x": 1}, "q"]}
    fields: dict[str, Any] = {"f:a": {"f:b": {}}, "f:list": {"i:0": {}}}
    assert without_pointers(value, [pointer]) == value
    assert fields_without(fields, value, [pointer]) == fields


def test_pointers_take_away_from_field_sets_too() -> None:
    """Items are found where they stand; a node with nothing left goes, because empty would mean all of it."""
    value = {
        "spec": {"replicas": 1, "list": [{"name": "proxy"}, {"name": "web", "image": "w"}], "sel": {"x": 1}}
    }
    web: dict[str, Any] = {".": {}, "f:image": {}, "f:name": {}}
    fields: dict[str, Any] = {"f:spec": {"f:replicas": {}, "f:list": {'k:{"name":"web"}': web}, "f:sel": {}}}

    def left(*pointers: str) -> Any:
        return fields_without(fields, value, pointers)

    assert left("/spec/replicas") == {"f:spec": {"f:list": {'k:{"name":"web"}': web}, "f:sel": {}}}
    assert left("/spec/list/1/image")["f:spec"]["f:list"] == {'k:{"name":"web"}': {".": {}, "f:name": {}}}
    assert left("/spec/list/0/image") == fields
    assert "f:list" not in left("/spec/list/1")["f:spec"]
    assert left("/spec/sel/x") == fields
    assert left("/spec/replicas", "/spec/list", "/spec/sel") == {}


@settings(deadline=None)
@given(JSON, TRIES, POINTERS)
def test_no_shape_is_too_strange(value: Any, fields: Any, pointers: list[str]) -> None:
    """Whatever stands at a pointer, taking it away twice is taking it away once."""
    once = without_pointers(value, pointers)
    assert without_pointers(once, pointers) == once
    fields_without(fields, value, pointers)
