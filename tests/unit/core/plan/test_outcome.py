"""What a sync makes of an object, as it is shown."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from nopea.core.plan.outcome import change_of, predicted, without_paths

MARKS = {"labels": {"nopea.io/repository": "shop.web"}, "annotations": {"nopea.io/source": "web.yaml#1"}}


def _object(kind: str = "ConfigMap", **data: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "web"}, "data": data}


def _stored(manifest: dict[str, Any], *, others: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the object as the API server stores it; another manager owns `others`."""
    fields: dict[str, Any] = {"f:data": {f"f:{name}": {} for name in manifest["data"]}}
    managed = [{"manager": "nopea", "operation": "Apply", "fieldsV1": fields}]
    if others:
        managed.append({"manager": "helm", "operation": "Update", "fieldsV1": others})
    metadata = {**manifest["metadata"], **MARKS, "uid": "1", "resourceVersion": "7", "managedFields": managed}
    return {**manifest, "metadata": metadata, "status": {"ready": True}}


def test_notes_of_the_server_and_of_nopea_are_not_shown() -> None:
    """An object that only differs in them does not change."""
    stored = _stored(_object(a="1"))
    later = copy.deepcopy(stored)
    later["metadata"] |= {"resourceVersion": "8", "generation": 3, "annotations": {}}

    change = change_of(stored, _object(a="1"))

    assert change.after == _object(a="1")
    assert not change.is_visible
    assert change_of(_object(a="1"), _object(a="2")).is_visible
    assert change_of(None, _object(a="1")).before is None


def test_other_labels_stay() -> None:
    """Only Nopea's own are left out, and kubectl's copy of the object."""
    stored = _stored(_object())
    stored["metadata"]["labels"] = {**MARKS["labels"], "app": "web"}
    stored["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "{}"}

    assert change_of(None, stored).after["metadata"] == {"name": "web", "labels": {"app": "web"}}


def test_a_changed_value_of_a_secret_differs_and_is_not_shown() -> None:
    """A value that stays is masked as elsewhere."""
    change = change_of(_object("Secret", a="b2xk", b="c2FtZQ=="), _object("Secret", a="bmV3", b="c2FtZQ=="))

    assert change.before is not None
    assert change.before["data"] == {"a": "*** (before)", "b": "***"}
    assert change.after["data"] == {"a": "*** (after)", "b": "***"}


def test_fields_that_an_adoption_removes_are_removed() -> None:
    """From a map and from a list whose items have names."""
    manifest = {"spec": {"a": 1, "b": 2, "ports": [{"name": "x"}, {"name": "y"}]}}

    after = without_paths(manifest, [("f:spec", "f:b"), ("f:spec", "f:ports", 'k:{"name":"x"}'), ()])

    assert after == {"spec": {"a": 1, "ports": [{"name": "y"}]}}


@pytest.mark.parametrize(
    ("last", "desired", "others", "after"),
    [
        ({"a": "1"}, {"a": "2"}, None, {"a": "2", "theirs": "x"}),
        ({"a": "1"}, {"a": "1", "b": "2"}, None, {"a": "1", "theirs": "x", "b": "2"}),
        ({"a": "1"}, {}, None, {"theirs": "x"}),
        ({"a": "1"}, {}, {"f:data": {"f:a": {}}}, {"a": "1", "theirs": "x"}),
        (None, {}, None, {"a": "1", "theirs": "x"}),
    ],
)
def test_without_a_dry_run_it_is_computed(
    last: dict[str, str] | None,
    desired: dict[str, str],
    others: dict[str, Any] | None,
    after: dict[str, str],
) -> None:
    """What Git sets is set, what it dropped goes unless somebody else owns it, the rest stays."""
    live = _stored(_object(a="1"), others=others)
    live["data"] = {"a": "1", "theirs": "x"}

    found = predicted(
        live,
        _object(**desired),
        desired=_object(**desired),
        last=None if last is None else _object(**last),
    )

    assert found["data"] == after


def test_items_of_lists_are_set_in_their_place() -> None:
    """A new item comes last."""
    live = _stored(_object())
    live |= {"apiVersion": "apps/v1", "kind": "Deployment"}
    live["spec"] = {"template": {"spec": {"containers": [{"name": "a", "image": "a:1", "tty": True}]}}}
    body = copy.deepcopy(live)
    body["spec"]["template"]["spec"]["containers"] = [{"name": "b"}, {"name": "a", "image": "a:2"}]

    found = predicted(live, body, desired=body, last=None)

    assert found["spec"]["template"]["spec"]["containers"] == [
        {"name": "a", "image": "a:2", "tty": True},
        {"name": "b"},
    ]
