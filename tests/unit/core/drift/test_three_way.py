"""The differences between the last applied, the desired and the live object."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from tests.unit.core.apply.owned import JSON, deployment, shuffled

from nopea.core.drift.three_way import (
    DriftKind,
    Place,
    Side,
    ThreeWay,
    ThreeWayChange,
    is_identity,
    three_way_diff,
)

Edit = Callable[[dict[str, Any]], Any]
CONTAINER = '.spec.template.spec.containers[name="web"]'


def _web(manifest: dict[str, Any]) -> dict[str, Any]:
    container: dict[str, Any] = manifest["spec"]["template"]["spec"]["containers"][0]
    return container


def _edited(edit: Edit) -> dict[str, Any]:
    manifest = deployment()
    edit(manifest)
    return manifest


def _live(manifest: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the object as the API server stores it: with other spellings, defaults and additions."""
    live = copy.deepcopy(manifest or deployment())
    container = _web(live)
    container["resources"]["limits"]["cpu"] = "2"
    container["terminationMessagePath"] = "/dev/log"
    for port in container["ports"]:
        port.setdefault("protocol", "TCP")
    container["ports"].reverse()
    container["env"].append({"name": "INJECTED", "value": "x"})
    live["spec"]["template"]["spec"]["containers"].insert(0, {"name": "proxy", "image": "p"})
    live["metadata"] |= {"uid": "u", "resourceVersion": "7"}
    live["metadata"]["annotations"]["acme.example/note"] = "x"
    live["metadata"]["finalizers"].insert(0, "acme.example/other")
    live["status"] = {"replicas": 1}
    return live


def _paths(found: ThreeWay) -> dict[str, Side]:
    paths = {change.path: change.side for change in found.changes}
    assert len(paths) == len(found.changes)
    return paths


def _replicas(number: int) -> Edit:
    return lambda manifest: manifest["spec"].update(replicas=number)


def test_undeclared_fields_are_not_drift() -> None:
    """Defaults, status, other spellings, injected items and another order do not count."""
    found = three_way_diff(deployment(), deployment(), _live())
    assert found == ThreeWay(verdict=DriftKind.NO_DRIFT, changes=())
    assert three_way_diff(shuffled(deployment()), deployment(), shuffled(_live())) == found


EDITS: list[tuple[Edit, str, Any, Any]] = [
    (_replicas(3), ".spec.replicas", 2, 3),
    (lambda m: m["spec"].pop("replicas"), ".spec.replicas", 2, None),
    (lambda m: _web(m).update(image="web:2"), f"{CONTAINER}.image", "web:1", "web:2"),
    (lambda m: _web(m)["args"].append("x"), f"{CONTAINER}.args", ["--fast", "--quiet"],
     ["--fast", "--quiet", "x"]),
    (lambda m: _web(m)["env"].pop(0), f'{CONTAINER}.env[name="MODE"]', {"name": "MODE", "value": "on"}, None),
    (lambda m: _web(m)["env"][0].update(value="off"), f'{CONTAINER}.env[name="MODE"].value', "on", "off"),
    (lambda m: _web(m)["ports"].pop(0), f'{CONTAINER}.ports[containerPort=80,protocol="TCP"]',
     {"containerPort": 80}, None),
    (lambda m: _web(m)["resources"]["limits"].update(cpu="3"), f"{CONTAINER}.resources.limits.cpu", "2000m",
     "3"),
    (lambda m: m["metadata"]["labels"].pop("team"), ".metadata.labels.team", "blue", None),
    (lambda m: m["metadata"]["finalizers"].remove("acme.example/keep"),
     '.metadata.finalizers[="acme.example/keep"]', "acme.example/keep", None),
    (lambda m: m["spec"].update(selector="x"), ".spec.selector", {"matchLabels": {"app": "web"}}, "x"),
    (lambda m: _web(m).pop("resources"), f"{CONTAINER}.resources",
     {"limits": {"cpu": "2000m", "memory": "1Gi"}}, None),
]  # fmt: skip


@pytest.mark.parametrize(("edit", "path", "before", "after"), EDITS, ids=[edit[1] for edit in EDITS])
def test_one_change_by_either_or_both(edit: Edit, path: str, before: Any, after: Any) -> None:
    """A change in the cluster is drift, in Git a Git change; the same change in both is not a conflict."""
    drifted = three_way_diff(deployment(), deployment(), _edited_live(edit))
    assert drifted.verdict is DriftKind.MANUAL_DRIFT
    (change,) = drifted.changes
    assert (change.path, change.before, change.desired, change.side) == (path, before, before, Side.CLUSTER)

    wanted = three_way_diff(deployment(), _edited(edit), _live())
    assert wanted.verdict is DriftKind.GIT_CHANGE
    assert {change.side for change in wanted.changes} == {Side.GIT}
    if not isinstance(before, dict) or after is None:
        assert (wanted.changes[0].path.startswith(path), wanted.changes[0].desired) == (True, after)

    agreed = three_way_diff(deployment(), _edited(edit), _edited_live(edit))
    assert agreed.verdict is DriftKind.GIT_CHANGE


def _edited_live(edit: Edit) -> dict[str, Any]:
    live = _live()
    containers = live["spec"]["template"]["spec"]["containers"]
    containers.reverse()
    _web(live)["ports"].reverse()
    edit(live)
    containers.reverse()
    return live


def test_both_changed_one_field() -> None:
    """Different values of one field are a conflict; the result contains all three."""
    found = three_way_diff(deployment(), _edited(_replicas(3)), _edited_live(_replicas(4)))
    assert found.verdict is DriftKind.CONFLICT
    assert found.changes == (
        ThreeWayChange(
            path=".spec.replicas",
            keys=("f:spec", "f:replicas"),
            before=2,
            desired=3,
            live=4,
            side=Side.BOTH,
        ),
    )


def test_both_changed_different_fields() -> None:
    """The object is in conflict, and each field shows which side changed it."""
    live = _edited_live(lambda m: _web(m).update(image="web:2"))
    found = three_way_diff(deployment(), _edited(_replicas(3)), live)
    assert found.verdict is DriftKind.CONFLICT
    assert _paths(found) == {".spec.replicas": Side.GIT, f"{CONTAINER}.image": Side.CLUSTER}


def test_git_removes_a_field() -> None:
    """If the cluster changed the value it is a conflict; if not, or if the field is gone, a Git change."""
    without = _edited(lambda m: m["spec"].pop("replicas"))
    assert three_way_diff(deployment(), without, _edited_live(_replicas(9))).verdict is DriftKind.CONFLICT
    assert three_way_diff(deployment(), without, _live()).verdict is DriftKind.GIT_CHANGE
    gone = _edited_live(lambda m: m["spec"].pop("replicas"))
    assert three_way_diff(deployment(), without, gone).verdict is DriftKind.GIT_CHANGE


def test_git_adds_a_field_that_the_cluster_has() -> None:
    """It is a Git change whatever the live value, as no applied field was changed."""
    wanted = _edited(lambda m: m["spec"].update(paused=True))
    for paused in (True, False):
        live = _live()
        live["spec"]["paused"] = paused
        found = three_way_diff(deployment(), wanted, live)
        assert _paths(found) == {".spec.paused": Side.GIT}
        assert found.changes[0].live == paused


@pytest.mark.parametrize(
    ("last", "desired", "live", "verdict"),
    [
        (None, None, None, DriftKind.NO_DRIFT),
        (None, None, _live(), DriftKind.NO_DRIFT),
        (None, deployment(), None, DriftKind.GIT_CHANGE),
        (deployment(), deployment(), None, DriftKind.MANUAL_DRIFT),
        (deployment(), None, None, DriftKind.GIT_CHANGE),
        (deployment(), None, _live(), DriftKind.GIT_CHANGE),
        (deployment(), None, _edited(_replicas(9)), DriftKind.CONFLICT),
        (deployment(), _edited(_replicas(3)), None, DriftKind.CONFLICT),
    ],
)
def test_whole_objects(last: Any, desired: Any, live: Any, verdict: DriftKind) -> None:
    """If a whole object is missing or to be removed, this is one change with the path `.`."""
    found = three_way_diff(last, desired, live)
    assert found.verdict is verdict
    assert [(change.path, change.keys) for change in found.changes] == [(".", ())] * len(found.changes)
    assert len(found.changes) == (0 if verdict is DriftKind.NO_DRIFT else 1)


def test_an_object_that_was_never_applied() -> None:
    """Each field that Git declares is a Git change, except those that identify the object."""
    found = three_way_diff(None, deployment(), _live())
    assert found.verdict is DriftKind.GIT_CHANGE
    paths = _paths(found)
    assert set(paths.values()) == {Side.GIT}
    assert f"{CONTAINER}.image" in paths
    assert f"{CONTAINER}.args" in paths
    assert not {".apiVersion", ".kind", ".metadata.name", ".metadata.namespace"} & paths.keys()


def test_another_api_version() -> None:
    """Another apiVersion is a change in Git, but not in the cluster."""
    other = _edited(lambda m: m.update(apiVersion="apps/v2"))
    assert _paths(three_way_diff(deployment(), other, deployment())) == {".apiVersion": Side.GIT}
    assert three_way_diff(deployment(), deployment(), other).verdict is DriftKind.NO_DRIFT


def test_live_values_are_shown_without_undeclared_fields() -> None:
    """The value that is compared does not contain defaults."""
    live = _edited_live(lambda m: _web(m)["env"].clear())
    wanted = _edited(lambda m: m["spec"]["template"]["spec"].clear())
    (change,) = three_way_diff(deployment(), wanted, live).changes
    assert (change.path, change.side) == (CONTAINER, Side.BOTH)
    assert "terminationMessagePath" not in change.live
    assert change.live["image"] == "web:1"


def test_null_and_empty_values_count_as_absent() -> None:
    """This holds for each of the three objects."""
    base = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    empty = {**base, "data": {}, "immutable": None, "metadata": {"name": "a", "labels": {"x": None}}}
    for last in (base, empty):
        for desired in (base, empty):
            for live in (base, empty):
                assert three_way_diff(last, desired, live).changes == ()


@settings(deadline=None)
@given(JSON)
def test_an_object_never_differs_from_itself(value: Any) -> None:
    """Any JSON value is equal to itself."""
    assert three_way_diff(value, value, copy.deepcopy(value)).verdict is DriftKind.NO_DRIFT
    built_in = {"apiVersion": "v1", "kind": "Pod", "spec": value}
    assert three_way_diff(built_in, shuffled(built_in), built_in).changes == ()


@settings(deadline=None)
@given(JSON, JSON, JSON)
def test_each_change_is_found_once_and_determines_the_verdict(last: Any, desired: Any, live: Any) -> None:
    """No path is inside another, and the verdict follows from the sides of the changes."""
    head = {"apiVersion": "v1", "kind": "Pod"}
    found = three_way_diff({**head, "spec": last}, {**head, "spec": desired}, {**head, "spec": live})
    keys = [change.keys for change in found.changes]
    assert not any(one != other and one == other[: len(one)] for one in keys for other in keys)
    assert len(set(keys)) == len(keys)
    sides = {change.side for change in found.changes}
    git, cluster = bool(sides - {Side.CLUSTER}), bool(sides - {Side.GIT})
    assert (found.verdict in (DriftKind.GIT_CHANGE, DriftKind.CONFLICT)) == git
    assert (found.verdict in (DriftKind.MANUAL_DRIFT, DriftKind.CONFLICT)) == cluster


def test_depth_is_bounded() -> None:
    """A value that is nested too deeply is one change."""
    one: Any = 1
    other: Any = 2
    for _ in range(5_000):
        one, other = {"a": one}, {"a": other}
    found = three_way_diff(one, one, other)
    assert found.verdict is DriftKind.MANUAL_DRIFT
    assert len(found.changes) == 1


def test_a_place_has_its_name_and_its_parent() -> None:
    """A list item has no name of its own; its fields are inside the list."""
    place = Place.of(("f:spec", "f:containers", 'k:{"name":"web"}', "f:ports"))
    assert (place.name, place.inside) == ("ports", "containers")
    assert is_identity(("f:metadata", "f:name"))
    assert not is_identity(("f:metadata", "f:labels"))
