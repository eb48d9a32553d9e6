"""Field sets: membership, union and difference, and the parts of objects that they cover."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from tests.unit.core.apply.owned import (
    HOSTILE_TRIES,
    JSON,
    TRIES,
    deployment,
    entry,
    owned_fields,
    shuffled,
    stored,
)

from nopea.core.apply.fieldset import (
    MAX_DEPTH,
    difference,
    entries,
    entry_of,
    fields_of,
    find,
    has_children,
    is_member,
    leaves,
    node_at,
    project,
    render_path,
    touches,
    union,
    without,
)

WEB = 'k:{"name":"web"}'
CONTAINERS = ("f:spec", "f:template", "f:spec", "f:containers")


def test_the_entry_is_found_by_its_whole_identity() -> None:
    """Manager, operation and subresource must match; a missing subresource equals an empty one."""
    ours, update = entry({"f:a": {}}), entry({}, operation="Update")
    status = entry({}, subresource="status")
    assert entry_of([update, status, ours], manager="nopea") is ours
    assert entry_of([update, status], manager="nopea") is None
    assert entry_of([update, status], manager="nopea", subresource="status") is status
    assert entry_of([ours], manager="other") is None
    assert fields_of(ours) == {"f:a": {}}
    assert fields_of(None) == fields_of({}) == fields_of({"fieldsV1": "x"}) == {}


@pytest.mark.parametrize("hostile", [None, {}, "x", 1, [None], ["x"], [[]]])
def test_invalid_managed_fields_have_no_entries(hostile: Any) -> None:
    """Any value of `managedFields` that is not a list of entries has no entries."""
    assert list(entries(hostile)) == []
    assert entry_of(hostile, manager="nopea") is None


@settings(deadline=None)
@given(JSON, TRIES)
def test_projecting_twice_is_projecting_once(value: Any, fields: Any) -> None:
    """Projecting by a set is idempotent and does not change the input."""
    before = copy.deepcopy(value)
    once = project(value, fields)
    assert project(once, fields) == once
    assert value == before


@settings(deadline=None)
@given(JSON, HOSTILE_TRIES)
def test_no_shape_raises(value: Any, fields: Any) -> None:
    """Values that do not match the set, and invalid sets, do not raise errors."""
    if isinstance(fields, dict):
        project(value, fields)
        without(value, fields)
        for path in leaves(fields):
            find(value, path)
            touches(fields, path)
            assert isinstance(render_path(path), str)


def test_an_object_projected_by_its_own_fields_is_itself() -> None:
    """Only the fields that identify the object have no owner; the order of keys does not matter."""
    manifest = deployment()
    whole = project(manifest, owned_fields(manifest))
    assert whole["spec"] == manifest["spec"]
    assert whole["metadata"] == {
        key: manifest["metadata"][key] for key in ("labels", "annotations", "finalizers")
    }
    assert project(shuffled(manifest), shuffled(owned_fields(manifest))) == whole


def test_only_what_is_covered_is_projected() -> None:
    """Items are found by their keys and set members by value; everything else is omitted."""
    value = {
        "status": {"replicas": 3},
        "spec": {
            "replicas": 2,
            "containers": [{"name": "proxy", "image": "p"}, {"name": "web", "image": "w", "tty": True}],
            "finalizers": ["a", "b"],
            "args": ["x", "y"],
        },
    }
    fields: dict[str, Any] = {
        "f:spec": {
            "f:containers": {WEB: {".": {}, "f:image": {}}, 'k:{"name":"gone"}': {}},
            "f:finalizers": {'v:"b"': {}, 'v:"c"': {}},
            "f:args": {},
            "f:missing": {},
        }
    }
    assert project(value, fields) == {
        "spec": {"containers": [{"name": "web", "image": "w"}], "finalizers": ["b"], "args": ["x", "y"]}
    }
    assert project(value, {}) == {}
    assert project([1], {}) == []
    assert project("x", {"f:a": {}}) is None


def test_a_key_that_the_manifest_leaves_out_has_its_default() -> None:
    """A port without a protocol is the TCP port of the set, never the UDP port."""
    key = 'k:{"containerPort":80,"protocol":"TCP"}'
    fields: dict[str, Any] = {"f:ports": {key: {".": {}, "f:containerPort": {}}}}
    for port in ({"containerPort": 80}, {"containerPort": 80, "protocol": "TCP"}):
        assert project({"ports": [port]}, fields) == {"ports": [port]}
    assert project({"ports": [{"containerPort": 80, "protocol": "UDP"}]}, fields) == {}


def test_a_dot_keeps_a_node_without_its_content() -> None:
    """A node that is owned itself is in the projection even if nothing in it is covered."""
    value = {"annotations": {"x": "1"}, "list": [1], "text": "t", "gone": {}}
    fields: dict[str, Any] = {f"f:{name}": {".": {}} for name in ("annotations", "list", "text", "absent")}
    assert project(value, fields) == {"annotations": {}, "list": [], "text": "t"}


def test_leaves_are_the_deepest_paths() -> None:
    """A node with a dot is a leaf only if nothing is below it."""
    fields: dict[str, Any] = {"f:a": {".": {}, "f:b": {}}, "f:c": {".": {}}, "f:d": {}}
    assert list(leaves(fields)) == [("f:a", "f:b"), ("f:c",), ("f:d",)]
    assert list(leaves({})) == []


@settings(deadline=None)
@given(TRIES, TRIES)
def test_the_arithmetic_of_sets(one: Any, other: Any) -> None:
    """Union and difference of field sets are those of their members."""
    members, others = _members(one), _members(other)
    assert _members(difference(one, other)) == members - others
    assert _members(union(one, other)) == members | others
    assert difference(one, one) == {}
    assert union(one, one) == one


def _members(fields: Any, path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    found = {path} if path and is_member(fields) else set()
    for key, child in fields.items():
        if key != ".":
            found |= _members(child, (*path, key))
    return found


def test_owning_an_empty_struct_does_not_own_its_content() -> None:
    """If we own `strategy: {}`, the manager that set the type in it keeps the type."""
    assert difference({"f:s": {"f:type": {}}}, {"f:s": {}}) == {"f:s": {"f:type": {}}}
    assert difference({"f:s": {".": {}, "f:type": {}}}, {"f:s": {}}) == {"f:s": {"f:type": {}}}
    assert difference({"f:s": {}}, {"f:s": {"f:type": {}}}) == {"f:s": {}}


def test_without_removes_what_is_covered() -> None:
    """Fields, items and members are removed; the input does not change."""
    value = {"a": {"x": 1, "y": 2}, "list": [{"name": "web", "b": 1}, {"name": "db"}], "set": ["p", "q"]}
    before = copy.deepcopy(value)
    fields: dict[str, Any] = {
        "f:a": {"f:x": {}},
        "f:list": {WEB: {"f:b": {}}, 'k:{"name":"db"}': {".": {}, "f:name": {}}},
        "f:set": {'v:"p"': {}},
        "f:none": {"f:x": {}},
    }
    assert without(value, fields) == {"a": {"y": 2}, "list": [{"name": "web"}], "set": ["q"]}
    assert without(value, {}) is value
    assert value == before


def test_a_node_is_found_in_any_spelling_of_its_key() -> None:
    """The JSON in keys may have spaces, another order and escapes."""
    fields: dict[str, Any] = {
        "f:ports": {'k:{"protocol": "TCP", "port": 80}': {"f:x": {}}, 'v:"\\u003c"': {}}
    }
    assert node_at(fields, ("f:ports", 'k:{"port":80,"protocol":"TCP"}')) == {"f:x": {}}
    assert node_at(fields, ("f:ports", 'v:"<"')) == {}
    assert node_at(fields, ("f:ports", 'k:{"port":81,"protocol":"TCP"}')) is None
    assert node_at(fields, ("f:none", "f:x")) is None
    assert node_at(fields, ()) is fields
    assert has_children(fields)


def test_a_set_touches_the_paths_of_its_members() -> None:
    """A leaf includes everything below it; a node with a dot does not."""
    fields: dict[str, Any] = {"f:a": {}, "f:b": {".": {}, "f:c": {}}, "f:m": {".": {}}}
    assert touches(fields, ("f:a",))
    assert touches(fields, ("f:a", "f:x"))
    assert touches(fields, ("f:b",))
    assert touches(fields, ("f:b", "f:c"))
    assert not touches(fields, ("f:b", "f:x"))
    assert not touches(fields, ("f:m", "f:x"))
    assert not touches({}, ("f:a",))


def test_paths_are_rendered_as_by_the_api_server() -> None:
    """Fields follow dots; items and set members are in brackets after their list."""
    assert render_path((*CONTAINERS, WEB, "f:image")) == '.spec.template.spec.containers[name="web"].image'
    ports = ("f:ports", 'k:{"protocol":"TCP","containerPort":80}')
    assert render_path(ports) == '.ports[containerPort=80,protocol="TCP"]'
    assert render_path(("f:finalizers", 'v:"x"')) == '.finalizers[="x"]'
    assert render_path(("f:list", "i:0", "f:a b")) == ".list[0].a b"
    assert render_path(()) == "."
    assert render_path(("f:a\x1b[0m",)) == '."a\\u001b[0m"'
    assert render_path(("f:l", "k:[")) == ".l[[]"


def test_values_are_found_by_path() -> None:
    """A path that does not exist has the value None."""
    live = stored(deployment())
    assert find(live, (*CONTAINERS, WEB, "f:image")) == "web:1"
    assert find(live, (*CONTAINERS, WEB, "f:ports", 'k:{"containerPort":80,"protocol":"TCP"}')) == {
        "containerPort": 80
    }
    assert find(live, (*CONTAINERS, 'k:{"name":"db"}', "f:image")) is None
    assert find(live, ("f:spec", "f:replicas", "f:x")) is None
    assert find(live, ("f:metadata", "f:finalizers", 'v:"acme.example/keep"')) == "acme.example/keep"


def test_depth_is_bounded() -> None:
    """Very deep sets and values do not overflow the stack."""
    deep: Any = {}
    value: Any = 1
    for _ in range(10_000):
        deep, value = {"f:a": deep}, {"a": value}
    assert len(next(leaves(deep))) == MAX_DEPTH
    assert "a" in project(value, deep)
    without(value, deep)
    assert difference(deep, {"f:b": {}})
    assert union(deep, deep)
