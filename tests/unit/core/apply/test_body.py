"""The body of an apply: ignored and kept fields stay as they are in the cluster."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.core.apply.owned import JSON, TRIES, deployment, entry, owned_fields, stored, trie

from nopea.core.apply.body import body_to_apply
from nopea.core.apply.fieldset import Path
from nopea.core.apply.ignore_rules import NO_RULES, IgnoreRules

LABEL = "nopea.io/repository"
REPLICAS = ("f:spec", "f:replicas")
TEAM = ("f:metadata", "f:labels", "f:team")
IMAGE = (
    "f:spec", "f:template", "f:spec", "f:containers", 'k:{"name":"web"}', "f:image",
)  # fmt: skip


def left(*pointers: str) -> IgnoreRules:
    """Return rules that ignore these pointers."""
    return IgnoreRules(pointers=pointers)


def owned_by(manager: str, *paths: Path) -> dict[str, Any]:
    """Return the entry of a manager that owns these fields."""
    return entry(trie(paths), manager=manager, operation="Update")


def changed(**spec: Any) -> dict[str, Any]:
    """Return the Deployment with these changes of its spec."""
    manifest = deployment()
    manifest["spec"] |= spec
    return manifest


def test_a_new_object_gets_everything() -> None:
    """A new object is created with all fields in Git, ignored ones included."""
    rules = IgnoreRules(pointers=("/spec/replicas",), managers=("*",))
    assert body_to_apply(deployment(), None, rules=rules, keep=[TEAM]) == deployment()


def test_without_rules_all_fields_are_sent() -> None:
    """Without ignore rules, fields that others own are overwritten."""
    live = stored(changed(replicas=5), owned_by("kubectl-edit", REPLICAS))
    assert body_to_apply(deployment(), live, rules=NO_RULES) == deployment()


def test_kept_fields_are_left_out() -> None:
    """Leaving a field out releases our claim to it; everything else is sent."""
    live = stored(changed(replicas=5), owned_by("kubectl-edit", REPLICAS, TEAM, IMAGE))
    body = body_to_apply(deployment(), live, rules=NO_RULES, keep=[REPLICAS, TEAM, IMAGE])
    expected = deployment()
    del expected["spec"]["replicas"]
    del expected["metadata"]["labels"]["team"]
    del expected["spec"]["template"]["spec"]["containers"][0]["image"]
    assert body == expected


def test_a_map_that_becomes_empty_is_left_out() -> None:
    """An empty map would claim all of its content, and drift in it would no longer be detected."""
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a"},
        "data": {"colour": "blue"},
    }
    live = {**manifest, "data": {"colour": "red"}}

    body = body_to_apply(manifest, live, rules=NO_RULES, keep=[("f:data", "f:colour")])

    assert body == {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}


def test_a_map_that_is_empty_in_git_is_sent() -> None:
    """Only maps that become empty because of kept fields are left out."""
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {}}
    live = {**manifest, "data": {"colour": "red"}}

    assert body_to_apply(manifest, live, rules=NO_RULES, keep=[TEAM])["data"] == {}


@pytest.mark.parametrize(
    ("managers", "is_left"), [(("scaler",), True), (("s*",), True), (("other",), False), ((), False)]
)
def test_fields_of_an_ignored_manager_are_left_out(managers: tuple[str, ...], is_left: bool) -> None:
    """Managers match by name or pattern; apiVersion and kind are always sent."""
    fields = {"f:apiVersion": {}, "f:kind": {}, **trie([REPLICAS])}
    live = stored(changed(replicas=5), entry(fields, manager="scaler", operation="Update"))
    expected = deployment()
    if is_left:
        del expected["spec"]["replicas"]
    assert body_to_apply(deployment(), live, rules=IgnoreRules(managers=managers)) == expected


@pytest.mark.parametrize(
    ("live", "sent"),
    [
        (stored(changed(replicas=5)), 5),  # no other owner
        (stored(changed(replicas=5), owned_by("scaler", REPLICAS)), None),  # both own it
        (stored(changed(replicas=5), owned_by("scaler", REPLICAS), fields=trie([TEAM])), None),
        (stored(changed(replicas=5), fields=trie([TEAM])), None),  # no owner: a default
        (stored(changed(replicas=5), owned_by("scaler", TEAM)), 5),
        (stored(changed(replicas=5), owned_by("scaler", REPLICAS), owned_by("labeller", TEAM)), None),
    ],
)
def test_an_ignored_field(live: dict[str, Any], sent: int | None) -> None:
    """An ignored field is sent with its live value if we are its only owner, and left out otherwise."""
    body = body_to_apply(deployment(), live, rules=left("/spec/replicas"))
    assert body["spec"].get("replicas") == sent
    assert {**body, "spec": {**body["spec"], "replicas": 2}} == deployment()


def test_an_ignored_field_that_git_removes_keeps_its_live_value() -> None:
    """Removing `replicas` from Git for an autoscaler must not scale the Deployment to one."""
    manifest = deployment()
    del manifest["spec"]["replicas"]
    live = stored(changed(replicas=5))
    assert body_to_apply(manifest, live, rules=left("/spec/replicas"))["spec"]["replicas"] == 5
    shared = stored(changed(replicas=5), owned_by("scaler", REPLICAS))
    assert body_to_apply(manifest, shared, rules=left("/spec/replicas")) == manifest


def test_an_ignored_field_that_is_not_live_is_left_out() -> None:
    """An ignored field that was removed from the live object is not added again."""
    live = stored(deployment())
    del live["spec"]["replicas"]
    assert "replicas" not in body_to_apply(deployment(), live, rules=left("/spec/replicas"))["spec"]


def test_fields_below_a_pointer_are_handled_by_owner() -> None:
    """Fields of others are left out; fields that only we own are sent with their live value."""
    live = stored(deployment(), owned_by("kubectl-label", ("f:metadata", "f:labels", "f:tier")))
    live["metadata"]["labels"] |= {"tier": "front", "team": "red"}
    body = body_to_apply(deployment(), live, rules=left("/metadata/labels"))
    assert body["metadata"]["labels"] == {LABEL: "shop.web", "team": "red"}


@pytest.mark.parametrize("live_labels", [{}, {LABEL: "stolen", "team": "red"}, {"team": "red"}])
@pytest.mark.parametrize(
    "rules",
    [
        left("/metadata/labels"),
        left("/metadata"),
        left("/metadata/labels/nopea.io~1repository"),
        IgnoreRules(managers=("kubectl*",)),
        NO_RULES,
    ],
)
def test_our_label_is_always_sent(rules: IgnoreRules, live_labels: dict[str, str]) -> None:
    """Without the label the object would not count as ours and would be neither healed nor pruned."""
    label = ("f:metadata", "f:labels", f"f:{LABEL}")
    live = stored(deployment(), owned_by("kubectl-label", TEAM, label), fields=trie([REPLICAS]))
    live["metadata"]["labels"] = live_labels
    body = body_to_apply(deployment(), live, rules=rules, keep=[label])
    assert body["metadata"]["labels"][LABEL] == "shop.web"


def test_a_key_with_a_slash() -> None:
    """In pointers, `~1` is a slash and `~0` a tilde."""
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a/b~c": "git", "d": "git"}}
    live = stored({**manifest, "data": {"a/b~c": "live", "d": "live"}})
    body = body_to_apply(manifest, live, rules=left("/data/a~1b~0c"))
    assert body == {**manifest, "data": {"a/b~c": "live", "d": "git"}}


@pytest.mark.parametrize(
    ("pointer", "image"),
    [
        ("/spec/template/spec/containers/0/image", "web:9"),
        ("/spec/template/spec/containers/7/image", "web:1"),
        ("/spec/template/spec/containers/x/image", "web:1"),
        ("/spec/template/spec/containers/²/image", "web:1"),
        ("/spec/template/spec/containers/0/nothing", "web:1"),
        ("/spec/template/spec/containers/0/stdin", "web:1"),
        ("/spec/nothing/at/all", "web:1"),
    ],
)
def test_a_pointer_into_a_list(pointer: str, image: str) -> None:
    """An existing item is sent with its live value; a pointer that matches nothing changes nothing."""
    live = stored(deployment())
    live["spec"]["template"]["spec"]["containers"][0] |= {"image": "web:9", "stdin": True}
    expected = deployment()
    expected["spec"]["template"]["spec"]["containers"][0]["image"] = image
    assert body_to_apply(deployment(), live, rules=left(pointer)) == expected


def test_a_list_item_that_is_not_live_yet() -> None:
    """An ignored item that the live list does not have is sent as in Git."""
    live = stored(deployment())
    live["spec"]["template"]["spec"]["containers"][0]["args"] = ["--fast"]
    rules = left("/spec/template/spec/containers/0/args/1", "/spec/template/spec/containers/0/args/0")
    assert body_to_apply(deployment(), live, rules=rules) == deployment()


@pytest.mark.parametrize(("git", "there"), [(["a"], None), (["a"], {}), (None, ["b"])])
def test_a_list_on_one_side_only(git: Any, there: Any) -> None:
    """If only one side is a list, the index has no meaning and the value in Git is sent."""
    manifest = {"apiVersion": "acme.example/v1", "kind": "Widget", "spec": {"parts": git}}
    live = stored({**manifest, "spec": {"parts": there}})
    assert body_to_apply(manifest, live, rules=left("/spec/parts/0")) == manifest


@pytest.mark.parametrize("spec", [None, "text"])
def test_an_ignored_field_below_a_value_that_is_not_a_mapping(spec: Any) -> None:
    """If the parent in Git is not a mapping, it is sent as it is."""
    manifest = {**deployment(), "spec": spec}
    assert body_to_apply(manifest, stored(deployment()), rules=left("/spec/replicas")) == manifest


def test_the_inputs_are_not_changed() -> None:
    """The manifest and the live object are used again afterwards."""
    manifest, live = deployment(), stored(changed(replicas=5), owned_by("scaler", TEAM))
    before = copy.deepcopy((manifest, live))
    rules = IgnoreRules(pointers=("/spec/replicas", "/metadata/labels"), managers=("scaler",))
    body_to_apply(manifest, live, rules=rules, keep=[IMAGE])
    assert (manifest, live) == before


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from(["spec", "a", "data", "0", "metadata", "labels", "", "x~1y"]), max_size=4),
    st.dictionaries(st.sampled_from(["spec", "data", "metadata"]), JSON),
    st.dictionaries(st.sampled_from(["spec", "data", "status"]), JSON),
    st.lists(TRIES, max_size=2),
)
def test_no_shape_raises(tokens: list[str], body: Any, live: Any, tries: list[Any]) -> None:
    """No manifest, live object or rule raises an error, and a body is a valid body of a new object."""
    live = {**live, "metadata": {"managedFields": [entry(fields) for fields in tries]}}
    rules = IgnoreRules(pointers=("/" + "/".join(tokens),), managers=("*",))
    sent = body_to_apply(body, live, rules=rules)
    assert body_to_apply(sent, None, rules=rules) == sent


@given(st.sampled_from(["/spec", "/metadata", "/spec/template", "/metadata/labels", "/spec/selector"]))
def test_ignoring_unchanged_fields_changes_nothing(pointer: str) -> None:
    """If only we own a field and it is as in Git, ignoring it does not change what we apply."""
    body = body_to_apply(deployment(), stored(deployment()), rules=left(pointer))
    expected = deployment()
    if pointer == "/metadata":  # name and namespace have no owner and are sent as they are
        expected["metadata"] = {**expected["metadata"]}
    assert owned_fields(body) == owned_fields(expected)
