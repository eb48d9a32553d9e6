"""Which managers are users' tools, and which differences a spec ignores."""

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
    is_mark,
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
def test_tools_of_users(manager: str) -> None:
    """Each of these tools is recognized in any case."""
    assert PEOPLE.matches(manager)


@pytest.mark.parametrize(
    "manager",
    ["nopea", "kube-controller-manager", "helm", "my-kubectl", "acme-operator", "", None, 1, "silence"],
)
def test_controllers_are_not_users(manager: Any) -> None:
    """Any other manager is a controller, even if its name contains that of a tool."""
    assert not PEOPLE.matches(manager)


def test_patterns_are_not_regular_expressions() -> None:
    """A dot matches only a dot, and a pattern must match the whole name."""
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
    """A selector that is not set matches everything; an empty group is the core group."""
    rule = IgnoreRule(json_pointers=("/spec/replicas",), managers=("scaler",), **selectors)
    found = rules_for([rule], WEB)
    assert found == (
        IgnoreRules(pointers=("/spec/replicas",), managers=("scaler",)) if matches else IgnoreRules()
    )


def test_rules_are_combined() -> None:
    """All rules that match an object apply; duplicates are removed."""
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
def test_pointers_remove_a_field_and_everything_below(pointer: str, left: Any) -> None:
    """List items become null, so that the indexes of the others stay; `~1` is a slash, `~0` a tilde."""
    value = {"a": {"b": 1}, "list": [{"x": 1, "y": 2}, "q"], "m/n~o": 1}
    before = copy.deepcopy(value)
    assert without_pointers(value, [pointer]) == left
    assert value == before


@pytest.mark.parametrize(
    "pointer", ["", "a", "/", "/none", "/list/2", "/list/-", "/list/01", "/a/b/c", "/list/x"]
)
def test_pointers_that_match_nothing_change_nothing(pointer: str) -> None:
    """A rule may be about another object of the kind."""
    value = {"a": {"b": 1}, "list": [{"x": 1}, "q"]}
    fields: dict[str, Any] = {"f:a": {"f:b": {}}, "f:list": {"i:0": {}}}
    assert without_pointers(value, [pointer]) == value
    assert fields_without(fields, value, [pointer]) == fields


def test_pointers_remove_fields_from_field_sets() -> None:
    """Items are found by index; a node that becomes empty is removed, as it would cover the whole value."""
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
def test_no_shape_raises(value: Any, fields: Any, pointers: list[str]) -> None:
    """Removing pointers is idempotent for any value."""
    once = without_pointers(value, pointers)
    assert without_pointers(once, pointers) == once
    fields_without(fields, value, pointers)


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        (("f:metadata", "f:labels", "f:kustomize.toolkit.fluxcd.io/name"), True),
        (("f:metadata", "f:annotations", "f:argocd.argoproj.io/tracking-id"), True),
        (("f:metadata", "f:annotations", "f:meta.helm.sh/release-name"), True),
        (("f:metadata", "f:labels", "f:app"), False),
        (("f:metadata", "f:labels"), False),
        (("f:data", "f:x", "f:meta.helm.sh/release-name"), False),
    ],
)
def test_the_marks_of_other_tools(path: tuple[str, ...], *, is_one: bool) -> None:
    """Labels and annotations with their prefixes, and nothing else."""
    assert is_mark(path) is is_one
