"""Live fields that Git omits: which an adoption removes, and which stay because another manager owns them."""

from __future__ import annotations

from typing import Any

from nopea.core.apply.fieldset import render_path
from nopea.core.apply.ignore_rules import DEPLOYERS, IgnoreRules, ManagerPatterns
from nopea.core.apply.leftovers import changed_in, leftovers, may_hold_leftovers, removed_by_adoption

TOOLS = ManagerPatterns(DEPLOYERS)


def _entry(manager: str, *keys: str, subresource: str = "", operation: str = "Update") -> dict[str, Any]:
    fields: dict[str, Any] = {"f:data": {f"f:{key}": {} for key in keys}}
    return {
        "manager": manager,
        "operation": operation,
        "apiVersion": "v1",
        "subresource": subresource,
        "fieldsV1": fields,
    }


def _map(*entries: dict[str, Any], **data: str) -> dict[str, Any]:
    metadata = {"name": "web", "resourceVersion": "7", "managedFields": list(entries)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def _removed(live: dict[str, Any], desired: dict[str, Any], **options: Any) -> list[str]:
    return [render_path(path) for path in removed_by_adoption(live, desired, **options)]


def test_only_what_nobody_else_owns_is_removed() -> None:
    """A field in Git stays, and so does one that a controller or a deployer that is not adopted owns too."""
    live = _map(_entry("helm", "a", "b", "c"), _entry("operator", "c"), a="1", b="1", c="1")
    assert _removed(live, _map(a="2"), deployers=TOOLS) == [".data.b"]
    assert _removed(live, _map(a="2")) == []
    assert _removed(live, _map(a="2"), deployers=TOOLS, rules=IgnoreRules(pointers=("/data/b",))) == []
    assert _removed(live, _map(a="2"), deployers=TOOLS, rules=IgnoreRules(managers=("helm",))) == []


def test_an_item_that_goes_is_named_once() -> None:
    """A container that Git omits is one removal; one that Git has loses only what Git omits of it."""
    names = ("web", "old")
    fields: dict[str, Any] = {
        f'k:{{"name":"{name}"}}': {".": {}, "f:name": {}, "f:image": {}, "f:tty": {}, "f:stdin": {}}
        for name in names
    }
    entry: dict[str, Any] = {"manager": "Terraform", "operation": "Apply", "apiVersion": "v1"}
    entry["fieldsV1"] = {"f:spec": {"f:containers": fields}}
    containers = [{"name": name, "image": "x", "tty": True, "stdin": True} for name in names]
    live = {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": containers}}
    live["metadata"] = {"resourceVersion": "7", "managedFields": [entry]}
    desired = {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{**containers[0], "tty": None}]}}
    assert _removed(live, desired, deployers=TOOLS) == [
        '.spec.containers[name="web"].tty',
        '.spec.containers[name="old"]',
    ]


def test_a_default_that_comes_back_is_not_removed() -> None:
    """`helm install` owns the defaults of what it creates."""
    fields: dict[str, Any] = {"f:spec": {"f:replicas": {}, "f:paused": {}, "f:revisionHistoryLimit": {}}}
    entry = {"manager": "helm", "operation": "Update", "apiVersion": "apps/v1", "fieldsV1": fields}
    live = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"managedFields": [entry]}}
    live["spec"] = {"replicas": 1, "paused": True, "revisionHistoryLimit": 2}
    desired = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {}}
    assert _removed(live, desired, deployers=TOOLS) == [".spec.paused", ".spec.revisionHistoryLimit"]
    after = {**live, "spec": {"replicas": 1, "revisionHistoryLimit": 2}}
    gone = removed_by_adoption(live, desired, deployers=TOOLS)
    assert [render_path(path) for path in changed_in(gone, live, after)] == [".spec.paused"]


def test_what_stays_is_named_with_its_manager() -> None:
    """Only fields that Git had and dropped count, not what a controller set beside Git."""
    ours = _entry("nopea", "keep", operation="Apply")
    live = _map(ours, _entry("helm", "keep", "later", "extra"), keep="1", later="1", extra="1")
    last, desired = _map(keep="1", later="1"), _map(keep="1")
    found = leftovers(last, desired, live)
    assert [(render_path(path), manager) for path, manager in found] == [(".data.later", "helm")]
    assert leftovers(desired, desired, live) == ()
    assert may_hold_leftovers(live)
    assert not may_hold_leftovers(_map(ours, _entry("helm", "keep"), keep="1"))
    assert not may_hold_leftovers(_map(ours, _entry("controller", "x", subresource="status"), keep="1"))
