"""The hash that shows whether an object may have drifted."""

from __future__ import annotations

import copy
import timeit
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
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

from nopea.core.apply.fieldset import difference
from nopea.core.apply.ignore_rules import IgnoreRules
from nopea.core.apply.projection import LAST_APPLIED, our_entry, projection_hash
from nopea.core.secret import Secret

WEB = 'k:{"name":"web"}'
POD = ("f:spec", "f:template", "f:spec")
REPLICAS: dict[str, Any] = {"f:spec": {"f:replicas": {}}}
BASE = projection_hash(stored(deployment()))


def _update(fields: Any, manager: str = "kubectl-edit", **more: Any) -> dict[str, Any]:
    return entry(fields, manager=manager, operation="Update", **more)


def test_without_our_entry_there_is_no_hash() -> None:
    """An object that we never applied, or that has lost our entry, has no baseline."""
    live = stored(deployment())
    assert BASE is not None
    assert len(BASE) == 32
    assert our_entry(live) is live["metadata"]["managedFields"][0]
    live["metadata"]["managedFields"] = [_update({"f:spec": {}}), entry({}, operation="Update")]
    assert projection_hash(live) is None
    assert projection_hash({}) is None


def test_the_order_of_keys_and_items_does_not_matter() -> None:
    """An object with keys and items in another order has the same hash."""
    assert projection_hash(shuffled(stored(deployment()))) == BASE
    moved = stored(deployment())
    container = moved["spec"]["template"]["spec"]["containers"][0]
    container["env"].reverse()
    container["ports"].insert(0, {"containerPort": 9, "protocol": "TCP"})
    assert projection_hash(moved) == BASE


def _set_status(live: dict[str, Any]) -> None:
    live["status"] = {"replicas": 1}
    live["metadata"]["resourceVersion"] = "8"


def _default(live: dict[str, Any]) -> None:
    live["spec"]["revisionHistoryLimit"] = 10
    live["spec"]["template"]["spec"]["containers"][0]["ports"][0]["protocol"] = "TCP"


def _inject(live: dict[str, Any]) -> None:
    live["spec"]["template"]["spec"]["containers"].insert(0, {"name": "proxy"})
    live["metadata"]["managedFields"].append(
        _update(trie([(*POD, "f:containers", 'k:{"name":"proxy"}')]), "injector")
    )


def _share(live: dict[str, Any]) -> None:
    live["metadata"]["managedFields"].append(entry(REPLICAS, manager="kubectl"))


def _steer(live: dict[str, Any]) -> None:
    live["metadata"]["annotations"] |= {"nopea.io/suspend-heal": "true", LAST_APPLIED: "{}"}
    annotations: dict[str, Any] = {".": {}, "f:nopea.io/suspend-heal": {}, f"f:{LAST_APPLIED}": {}}
    live["metadata"]["labels"]["nopea.io/x"] = "y"
    fields = {"f:metadata": {"f:annotations": annotations, "f:labels": {"f:nopea.io/x": {}}}}
    live["metadata"]["managedFields"].append(_update(fields))


def _work_in_status(live: dict[str, Any]) -> None:
    live["status"] = {"phase": "x"}
    live["spec"]["paused"] = True
    live["metadata"]["managedFields"].extend(
        [
            _update({"f:status": {"f:phase": {}}}),
            _update({"f:spec": {"f:paused": {}}}, "kubectl", subresource="status"),
        ]
    )


@pytest.mark.parametrize("change", [_set_status, _default, _inject, _share, _steer, _work_in_status])
def test_changes_that_keep_the_hash(change: Callable[[dict[str, Any]], None]) -> None:
    """Status, defaults, items of other managers, shared values and control annotations do not count."""
    live = stored(deployment())
    change(live)
    assert projection_hash(live) == BASE


def test_an_owned_value_changes_the_hash() -> None:
    """A change of a field, an item, a set member or an atomic value changes the hash."""
    hashes = {BASE}
    changes: tuple[Callable[[dict[str, Any]], Any], ...] = (
        lambda live: live["spec"].update(replicas=3),
        lambda live: live["spec"]["template"]["spec"]["containers"][0].update(image="web:2"),
        lambda live: live["spec"]["template"]["spec"]["containers"][0]["args"].append("--x"),
        lambda live: live["spec"]["template"]["spec"]["containers"].clear(),
        lambda live: live["metadata"]["finalizers"].clear(),
        lambda live: live["spec"]["selector"]["matchLabels"].update(app="x"),
    )
    for change in changes:
        live = stored(deployment())
        change(live)
        hashes.add(projection_hash(live))
    assert len(hashes) == 7


def test_losing_a_field_changes_the_hash() -> None:
    """The hash changes even if the value is the same or is a zero value that is not stored."""
    manifest = deployment()
    rest = difference(owned_fields(manifest), REPLICAS)
    assert projection_hash(stored(manifest, _update(REPLICAS), fields=rest)) != BASE

    zero: dict[str, Any] = {"f:spec": {"f:paused": {}}}
    with_zero = {"f:spec": {**owned_fields(manifest)["f:spec"], **zero["f:spec"]}}
    assert projection_hash(stored(manifest, fields=with_zero)) != projection_hash(
        stored(manifest, fields=difference(with_zero, zero))
    )


@pytest.mark.parametrize(
    ("manager", "counts"),
    [("kubectl-edit", True), ("kubectl", True), ("K9S", True), ("acme-operator", False), ("mallory", False)],
)
def test_fields_that_user_tools_add_count(manager: str, *, counts: bool) -> None:
    """Fields that a user's tool added are part of the hash, with their values."""
    hashes = set()
    for paused in (True, False):
        live = stored(deployment(), entry({"f:spec": {"f:paused": {}}}, manager=manager))
        live["spec"]["paused"] = paused
        hashes.add(projection_hash(live))
    assert (BASE not in hashes) == counts
    assert len(hashes) == (2 if counts else 1)


RESTARTED = "kubectl.kubernetes.io/restartedAt"


def _restarted(annotation: str, manager: str) -> dict[str, Any]:
    """Return the Deployment after a restart of its Pods by a user's tool."""
    path = ("f:spec", "f:template", "f:metadata", "f:annotations", f"f:{annotation}")
    fields = trie([path])
    fields["f:spec"]["f:template"]["f:metadata"]["f:annotations"]["."] = {}
    live = stored(deployment(), _update(fields, manager))
    live["spec"]["template"]["metadata"]["annotations"] = {annotation: "2026-11-28T15:00:00Z"}
    return live


@pytest.mark.parametrize(
    ("annotation", "manager"),
    [
        (RESTARTED, "kubectl-rollout"),
        (RESTARTED, "k9s"),
        (RESTARTED, "node-fetch"),
        (RESTARTED, "headlamp"),
        ("openshift.openshift.io/restartedAt", "Mozilla"),
        ("cattle.io/timestamp", "rancher"),
    ],
)
def test_a_restart_of_the_pods_does_not_count(annotation: str, manager: str) -> None:
    """It is by the annotation, whichever tool sets it; another annotation of the tool counts."""
    assert projection_hash(_restarted(annotation, manager)) == BASE
    assert projection_hash(_restarted("acme.example/restarted", manager)) != BASE


def test_a_restart_counts_if_git_declares_its_annotation() -> None:
    """Then the value is Git's, and changing it is drift."""
    manifest = deployment()
    manifest["spec"]["template"]["metadata"]["annotations"] = {RESTARTED: "in Git"}
    live = stored(manifest, *_restarted(RESTARTED, "kubectl-rollout")["metadata"]["managedFields"][1:])
    ours = live["metadata"]["managedFields"][0]["fieldsV1"]
    before = projection_hash(stored(manifest))
    del ours["f:spec"]["f:template"]["f:metadata"]["f:annotations"][f"f:{RESTARTED}"]
    assert projection_hash(live) != before


def test_ignored_fields_and_managers_do_not_count() -> None:
    """Ignored fields do not count if they are changed, taken by others or added."""
    rules = IgnoreRules(pointers=("/spec/replicas", "/spec/template/spec/containers/0/image", "/spec/paused"))
    base = projection_hash(stored(deployment()), rules=rules)
    lost = trie([("f:spec", "f:replicas"), (*POD, "f:containers", WEB, "f:image")])
    manifest = deployment()
    live = stored(manifest, _update(lost), fields=difference(owned_fields(manifest), lost))
    live["spec"]["replicas"] = 9
    live["spec"]["paused"] = True
    live["spec"]["template"]["spec"]["containers"][0]["image"] = "web:2"
    live["metadata"]["managedFields"].append(_update({"f:spec": {"f:paused": {}}}, "k9s"))
    assert projection_hash(live, rules=rules) == base
    live["spec"]["template"]["spec"]["containers"][0]["args"] = []
    assert projection_hash(live, rules=rules) != base

    added = stored(deployment(), _update({"f:spec": {"f:paused": {}}}))
    added["spec"]["paused"] = True
    assert projection_hash(added, rules=IgnoreRules(managers=("kubectl-*",))) == BASE


def test_content_that_others_add_to_an_empty_struct_or_map_of_ours() -> None:
    """Defaults and keys of controllers do not count; a field that a user's tool sets does."""
    manifest = deployment()
    manifest["spec"]["strategy"] = {}
    manifest["metadata"]["annotations"] = {}
    base = projection_hash(stored(manifest))
    revision: dict[str, Any] = {"f:metadata": {"f:annotations": {".": {}, "f:acme.example/revision": {}}}}
    live = stored(manifest, _update(revision, "kube-controller-manager"))
    live["metadata"]["annotations"] = {"acme.example/revision": "1"}
    live["spec"]["strategy"] = {"type": "RollingUpdate"}
    assert projection_hash(live) == base
    live["metadata"]["managedFields"].append(_update({"f:spec": {"f:strategy": {"f:type": {}}}}))
    assert projection_hash(live) != base


@settings(deadline=None)
@given(JSON, HOSTILE_TRIES, HOSTILE_TRIES)
def test_any_shape_has_a_hash(value: Any, ours: Any, theirs: Any) -> None:
    """Objects that do not match their field set have a hash; equal objects have the same one."""
    live = value if isinstance(value, dict) else {"spec": value}
    metadata = live.get("metadata")
    entries = [entry(ours), entry(theirs, manager="kubectl"), entry(theirs, manager="x")]
    live["metadata"] = {**(metadata if isinstance(metadata, dict) else {}), "managedFields": entries}
    rules = IgnoreRules(pointers=("/spec", "/a/0", "/containers/0/name"))
    first = projection_hash(live)
    assert first is not None
    assert projection_hash(shuffled(live)) == first
    assert projection_hash(copy.deepcopy(live), rules=rules) == projection_hash(live, rules=rules)


def test_values_too_deep_or_too_big_for_json_have_a_hash() -> None:
    """Such values come from the cluster and must not stop the watch."""
    hashes = set()
    for end in (1, 2, 2**70):
        deep: Any = [end]
        for _ in range(600):
            deep = {"a": deep, "b": [1]}
        live = {"spec": deep, "metadata": {"managedFields": [entry({"f:spec": {}, "f:x": {}})]}, "x": [deep]}
        hashes.add(projection_hash(live))
    assert None not in hashes
    assert len(hashes) == 3


def test_hashing_is_fast_enough_for_every_event() -> None:
    """Hashing an object is faster than copying it once (about 30 µs on the development machine)."""
    live = stored(deployment(), _update(REPLICAS), _update({"f:status": {"f:replicas": {}}}, "controller"))
    copying = min(timeit.repeat(lambda: copy.deepcopy(live), number=50, repeat=5))
    hashing = min(timeit.repeat(lambda: projection_hash(live), number=50, repeat=5))
    assert hashing < copying


def test_a_hash_depends_on_the_key() -> None:
    """Without the key, nobody can compute the hash of a guess."""
    live = stored(deployment())

    assert projection_hash(live, key=Secret(b"one")) == projection_hash(shuffled(live), key=Secret(b"one"))
    assert projection_hash(live, key=Secret(b"one")) != projection_hash(live, key=Secret(b"two"))
    assert projection_hash(live, key=Secret(b"one")) != BASE
