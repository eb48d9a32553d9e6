"""Which fields of an object drifted, and which manager changed them."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.core.apply.owned import (
    HOSTILE_TRIES,
    JSON,
    deployment,
    entry,
    owned_fields,
    shuffled,
    stored,
    trie,
)

from nopea.core.apply.fieldset import Path, difference, find, leaves, node_at, render_path, union
from nopea.core.apply.ignore_rules import IgnoreRules
from nopea.core.apply.projection import LAST_APPLIED, projection_hash
from nopea.core.drift.find import Drift, FieldDrift, find_drift
from nopea.core.drift.three_way import DriftKind

WEB = 'k:{"name":"web"}'
POD = ("f:spec", "f:template", "f:spec")
CONTAINER = (*POD, "f:containers", WEB)
CHANGED_AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def _update(fields: Any, manager: str = "kubectl-edit", **more: Any) -> dict[str, Any]:
    return entry(fields, manager=manager, operation="Update", **more)


def _put(value: Any, path: Path, new: Any) -> None:
    """Set the value at a path of fields and items; None removes it."""
    holder = find(value, path[:-1])
    name = path[-1][2:]
    if new is None:
        del holder[name]
    else:
        holder[name] = new


def _taken(*paths: Path, manager: str = "kubectl-edit", manifest: Any = None, **more: Any) -> dict[str, Any]:
    """Return the object after another manager took over some of our fields."""
    manifest = manifest or deployment()
    lost = trie(paths)
    return stored(manifest, _update(lost, manager, **more), fields=difference(owned_fields(manifest), lost))


def _drift(live: Any, **more: Any) -> Drift:
    arguments = {"desired": deployment(), "last_applied": deployment(), **more}
    return find_drift(live=live, **arguments)


def _told(drift: Drift) -> dict[str, tuple[Any, Any, str]]:
    told = {field.path: (field.from_, field.to, field.manager) for field in drift.fields}
    assert len(told) == len(drift.fields)
    return told


def test_an_unchanged_object_has_no_drift() -> None:
    """The order of keys, fields that controllers added and shared fields do not matter."""
    live = stored(deployment(), _update({"f:spec": {"f:paused": {}}}, "acme-operator"))
    live["spec"]["paused"] = True
    live["metadata"]["managedFields"].append(entry({"f:spec": {"f:replicas": {}}}, manager="kubectl"))
    assert _drift(live) == Drift(kind=DriftKind.NO_DRIFT)
    assert _drift(shuffled(live)) == Drift(kind=DriftKind.NO_DRIFT)


def test_a_value_that_we_own_has_not_been_changed() -> None:
    """A manager that changes a field becomes its owner, so other values of our fields do not count."""
    live = stored(deployment())
    container = live["spec"]["template"]["spec"]["containers"][0]
    container["image"] = "mirror.acme.example/web:1"
    container["resources"]["limits"]["cpu"] = "2"
    assert _drift(live).fields == ()


def test_a_changed_field_has_its_manager() -> None:
    """The drift contains path, both values, manager, operation, subresource and time."""
    live = _taken(("f:spec", "f:replicas"), manager="kubectl", subresource="scale")
    live["spec"]["replicas"] = 5
    assert _drift(live) == Drift(
        kind=DriftKind.MANUAL_DRIFT,
        fields=(
            FieldDrift(
                path=".spec.replicas",
                keys=("f:spec", "f:replicas"),
                from_=2,
                to=5,
                manager="kubectl",
                operation="Update",
                subresource="scale",
                changed_at=CHANGED_AT,
            ),
        ),
    )


def test_a_removed_field_has_no_manager() -> None:
    """Kubernetes does not record who removed a field."""
    fields = owned_fields(deployment())
    container: Any = node_at(fields, CONTAINER)
    del container["f:env"]
    live = stored(deployment(), fields=fields)
    _put(live, (*CONTAINER, "f:env"), None)
    (field,) = _drift(live).fields
    assert (field.path, field.to, field.manager, field.changed_at) == (
        '.spec.template.spec.containers[name="web"].env', None, "", None,
    )  # fmt: skip
    assert field.from_ == deployment()["spec"]["template"]["spec"]["containers"][0]["env"]


def test_a_field_with_the_same_value_and_another_owner() -> None:
    """A field that another manager set to the same value has drifted; an omitted zero value has not."""
    assert _told(_drift(_taken(("f:spec", "f:replicas")))) == {".spec.replicas": (2, 2, "kubectl-edit")}
    manifest = deployment()
    manifest["spec"]["paused"] = False
    manifest["metadata"]["annotations"]["x"] = ""
    live = stored(manifest, fields=difference(owned_fields(manifest), {"f:spec": {"f:paused": {}}}))
    _put(live, ("f:spec", "f:paused"), None)
    assert _drift(live, desired=manifest, last_applied=manifest).fields == ()


def test_items_are_found_by_keys_with_defaults() -> None:
    """A removed item and a replaced item are one changed field each."""
    live = stored(
        deployment(),
        fields=difference(
            owned_fields(deployment()),
            trie(
                [
                    (*CONTAINER, "f:ports", 'k:{"containerPort":80,"protocol":"TCP"}', key)
                    for key in (".", "f:containerPort")
                ]
            ),
        ),
    )
    live["spec"]["template"]["spec"]["containers"][0]["ports"].pop(0)
    assert _told(_drift(live)) == {
        '.spec.template.spec.containers[name="web"].ports[containerPort=80,protocol="TCP"]': (
            {"containerPort": 80}, None, "",
        )
    }  # fmt: skip

    made: dict[str, Any] = {
        "f:spec": {"f:template": {"f:spec": {"f:containers": {WEB: {".": {}, "f:name": {}, "f:image": {}}}}}}
    }
    fields = copy.deepcopy(owned_fields(deployment()))
    del fields["f:spec"]["f:template"]["f:spec"]
    live = stored(deployment(), _update(made), fields=fields)
    live["spec"]["template"]["spec"]["containers"] = [{"name": "web", "image": "evil:1"}]
    (field,) = _drift(live).fields
    assert (field.path, field.to) == (
        '.spec.template.spec.containers[name="web"]', {"name": "web", "image": "evil:1"},
    )  # fmt: skip


def test_an_atomic_value_is_one_field() -> None:
    """An atomic list, an atomic map and a member of a set are one changed field each."""
    live = _taken((*CONTAINER, "f:args"), ("f:spec", "f:selector"))
    live["spec"]["template"]["spec"]["containers"][0]["args"] = ["--slow"]
    live["spec"]["selector"] = {"matchLabels": {"app": "x"}}
    assert _told(_drift(live)) == {
        ".spec.selector": ({"matchLabels": {"app": "web"}}, {"matchLabels": {"app": "x"}}, "kubectl-edit"),
        '.spec.template.spec.containers[name="web"].args': (
            ["--fast", "--quiet"], ["--slow"], "kubectl-edit",
        ),
    }  # fmt: skip

    member = 'v:"acme.example/keep"'
    lost = trie([("f:metadata", "f:finalizers", member)])
    live = stored(deployment(), fields=difference(owned_fields(deployment()), lost))
    live["metadata"]["finalizers"] = ["acme.example/other"]
    assert _told(_drift(live)) == {
        '.metadata.finalizers[="acme.example/keep"]': ("acme.example/keep", None, "")
    }


def test_fields_that_a_user_adds_have_no_value_in_git() -> None:
    """A new item or struct is one field, each key of a map too; shared and control fields do not count."""
    fields = {
        "f:metadata": {"f:annotations": {".": {}, "f:a/b": {}, f"f:{LAST_APPLIED}": {}, "f:nopea.io/x": {}}},
        "f:spec": {
            "f:paused": {},
            "f:replicas": {},
            "f:template": {
                "f:spec": {
                    "f:containers": {'k:{"name":"debug"}': {".": {}, "f:image": {}, "f:name": {}}},
                    "f:securityContext": {".": {}, "f:runAsUser": {}},
                    "f:nowhere": {},
                }
            },
        },
    }
    live = stored(deployment(), _update(fields))
    live["metadata"]["annotations"] |= {"a/b": "1", LAST_APPLIED: "{}", "nopea.io/x": "y"}
    live["spec"]["paused"] = True
    pod = live["spec"]["template"]["spec"]
    pod["securityContext"] = {"runAsUser": 0}
    pod["containers"].append({"name": "debug", "image": "d", "imagePullPolicy": "Always"})
    who = "kubectl-edit"
    assert _told(_drift(live)) == {
        ".metadata.annotations.a/b": (None, "1", who),
        ".spec.paused": (None, True, who),
        '.spec.template.spec.containers[name="debug"]': (None, {"name": "debug", "image": "d"}, who),
        ".spec.template.spec.securityContext": (None, {"runAsUser": 0}, who),
    }
    assert _drift(live, rules=IgnoreRules(managers=(who,))).fields == ()


def test_a_field_that_two_users_added_has_the_latest_manager() -> None:
    """A field in an item that another user added is part of that item."""
    debug = 'k:{"name":"debug"}'
    one = trie([("f:spec", "f:paused"), *[(*POD, "f:containers", debug, key) for key in (".", "f:name")]])
    two = trie([("f:spec", "f:paused"), (*POD, "f:containers", debug, "f:image")])
    live = stored(deployment(), _update(one, time="2020-01-01T00:00:00Z"), _update(two, "k9s"))
    live["spec"]["paused"] = True
    live["spec"]["template"]["spec"]["containers"].append({"name": "debug", "image": "d"})
    assert _told(_drift(live)) == {
        ".spec.paused": (None, True, "k9s"),
        '.spec.template.spec.containers[name="debug"]': (None, {"name": "debug"}, "kubectl-edit"),
    }


def test_changes_in_git_and_in_the_cluster() -> None:
    """A change in both to different values is a conflict; in Git alone or to the same value, a Git change."""
    wanted = deployment()
    wanted["spec"]["replicas"] = 3
    assert _drift(stored(deployment()), desired=wanted) == Drift(kind=DriftKind.GIT_CHANGE)

    live = _taken(("f:spec", "f:replicas"))
    live["spec"]["replicas"] = 9
    conflict = _drift(live, desired=wanted)
    assert conflict.kind is DriftKind.CONFLICT
    assert _told(conflict) == {".spec.replicas": (3, 9, "kubectl-edit")}

    live["spec"]["replicas"] = 3
    assert _drift(live, desired=wanted) == Drift(kind=DriftKind.GIT_CHANGE)

    wanted["spec"]["paused"] = True
    added = stored(deployment(), _update({"f:spec": {"f:paused": {}}}))
    added["spec"]["paused"] = True
    assert _drift(added, desired=wanted) == Drift(kind=DriftKind.GIT_CHANGE)
    added["spec"]["paused"] = False
    assert _told(_drift(added, desired=wanted)) == {".spec.paused": (True, False, "kubectl-edit")}


def test_an_object_that_git_removed() -> None:
    """Drift since the last apply is a conflict, compared with what was applied."""
    assert _drift(stored(deployment()), desired=None) == Drift(kind=DriftKind.GIT_CHANGE)
    live = _taken(("f:spec", "f:replicas"))
    live["spec"]["replicas"] = 9
    drift = _drift(live, desired=None)
    assert (drift.kind, _told(drift)) == (DriftKind.CONFLICT, {".spec.replicas": (2, 9, "kubectl-edit")})


def test_a_missing_object() -> None:
    """A missing object is one changed field, unless it was never applied or is not in Git."""
    gone = _drift(None)
    assert gone.kind is DriftKind.MANUAL_DRIFT
    (field,) = gone.fields
    assert (field.path, field.keys, field.from_, field.to) == (".", (), deployment(), None)
    wanted = deployment()
    wanted["spec"]["replicas"] = 3
    assert _drift(None, desired=wanted).kind is DriftKind.CONFLICT
    assert _drift(None, desired=None) == Drift(kind=DriftKind.GIT_CHANGE)
    assert _drift(None, last_applied=None) == Drift(kind=DriftKind.GIT_CHANGE)
    assert _drift(None, desired=None, last_applied=None) == Drift(kind=DriftKind.NO_DRIFT)


def test_without_a_last_applied_manifest() -> None:
    """Without the manifest, our managedFields entry shows that the object was applied."""
    live = _taken(("f:spec", "f:replicas"))
    live["spec"]["replicas"] = 9
    assert _drift(live, last_applied=None) == _drift(live)
    live["metadata"]["managedFields"].pop(0)
    assert _drift(live, last_applied=None) == Drift(kind=DriftKind.GIT_CHANGE)
    assert _drift(stored(deployment()), desired=None, last_applied=None) == Drift(kind=DriftKind.GIT_CHANGE)


def test_without_our_entry_values_are_compared() -> None:
    """An object that a user created again differs by its values and by the fields that it has in addition."""
    manifest = deployment()
    fields = owned_fields(manifest)
    fields["f:spec"]["f:paused"] = {}
    live = copy.deepcopy(manifest)
    live["metadata"]["managedFields"] = [_update(fields, "kubectl-create")]
    live["spec"] |= {"replicas": 1, "paused": True}
    del live["metadata"]["labels"]["nopea.io/repository"]
    who = "kubectl-create"
    assert _told(_drift(live)) == {
        ".spec.replicas": (2, 1, who),
        ".metadata.labels.nopea.io/repository": ("shop.web", None, ""),
        ".spec.paused": (None, True, who),
    }


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        (IgnoreRules(pointers=("/spec/replicas",)), {"f:image"}),
        (IgnoreRules(pointers=("/spec/template/spec/containers/0",)), {"f:replicas"}),
        (IgnoreRules(pointers=("/spec",)), set()),
        (IgnoreRules(pointers=("/spec/replicas/x",)), {"f:replicas", "f:image"}),
        (IgnoreRules(managers=("kubectl-*",)), set()),
        (IgnoreRules(managers=("other",)), {"f:replicas", "f:image"}),
    ],
)
def test_ignored_fields_and_managers(rules: IgnoreRules, left: set[str]) -> None:
    """A pointer covers the field and everything below it, a manager all fields that it changed."""
    live = _taken(("f:spec", "f:replicas"), (*CONTAINER, "f:image"))
    live["spec"]["replicas"] = 9
    live["spec"]["template"]["spec"]["containers"][0]["image"] = "web:2"
    drift = _drift(live, rules=rules)
    assert {field.keys[-1] for field in drift.fields} == left
    assert drift.kind is (DriftKind.MANUAL_DRIFT if left else DriftKind.NO_DRIFT)


def test_our_own_updates_are_not_drift() -> None:
    """A field that Nopea set by another operation has not drifted."""
    assert _drift(_taken(("f:spec", "f:replicas"), manager="nopea")).fields == ()


@settings(deadline=None)
@given(st.data())
def test_every_changed_leaf_is_found_once(data: st.DataObject) -> None:
    """Each field of ours that was changed or removed is found once, and the projection hash changes."""
    manifest = deployment()
    ours = owned_fields(manifest)
    keys = ("f:name", "f:containerPort", "f:protocol")
    choice = [path for path in leaves(ours) if path[-1] not in keys and path[-1][:2] == "f:"]
    changed = data.draw(st.lists(st.sampled_from(choice), unique=True, min_size=1))
    removed = [path for path in changed if data.draw(st.booleans())]
    people = data.draw(st.booleans())
    theirs = trie(path for path in changed if path not in removed)
    entries = [_update(theirs, "k9s" if people else "acme-operator")]
    live = stored(manifest, *entries, fields=difference(ours, trie(changed)))
    for path in changed:
        _put(live, path, None if path in removed else "changed")

    drift = find_drift(desired=manifest, last_applied=manifest, live=shuffled(live))

    assert {field.keys for field in drift.fields} == set(changed)
    assert len(drift.fields) == len(changed)
    assert all(field.to == (None if field.keys in removed else "changed") for field in drift.fields)
    assert all(field.from_ == find(manifest, field.keys) for field in drift.fields)
    assert projection_hash(live) != projection_hash(stored(manifest))


@settings(deadline=None)
@given(JSON, JSON)
def test_equal_inputs_never_drift(spec: Any, added: Any) -> None:
    """An applied object has no drift whatever a controller added to it."""
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a", "labels": {"b": "c"}},
        "spec": spec,
    }
    controller = _update({"f:added": {}, "f:spec": {}}, "acme-operator")
    live = {**stored(manifest, controller), "added": added}
    assert find_drift(desired=manifest, last_applied=copy.deepcopy(manifest), live=live) == Drift(
        kind=DriftKind.NO_DRIFT
    )


@settings(deadline=None)
@given(JSON, JSON, JSON, HOSTILE_TRIES, HOSTILE_TRIES)
def test_any_shape_has_a_result(last: Any, desired: Any, spec: Any, ours: Any, theirs: Any) -> None:
    """Live objects that do not match the field set raise no error, and no path is found twice."""
    head = {"apiVersion": "v1", "kind": "Pod"}
    entries = [entry(ours), _update(theirs), _update(theirs, "x", time=spec), spec]
    live = {**head, "spec": spec, "metadata": {"managedFields": entries}}
    drift = find_drift(
        desired={**head, "spec": desired},
        last_applied={**head, "spec": last},
        live=live,
        rules=IgnoreRules(pointers=("/spec/a", "/spec/0"), managers=("x",)),
    )
    keys = [field.keys for field in drift.fields]
    assert not any(one == other[: len(one)] for one in keys for other in keys if one is not other)
    assert all(field.path == render_path(field.keys) for field in drift.fields)
    find_drift(desired=live, last_applied=live, live={"metadata": spec, "spec": last})
    assert union(trie(keys), {}) is not None
