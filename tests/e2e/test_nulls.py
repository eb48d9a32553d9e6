"""A null in Git means what `kubectl apply --server-side` makes of it."""

from __future__ import annotations

import copy
import json
from typing import Any

from tests.e2e import yamls
from tests.e2e.waiting import always, eventually
from tests.e2e.world import Json, Repo, Site
from tests.e2e.yamls import Manifest

SPECS: tuple[Json, ...] = (
    {"limit": None},
    {"strict": None},
    {"map": None},
    {"map": {"a": None}},
    {"items": [{"name": "x", "note": None}]},
    {"values": {"sec": {"profile": None, "run": True}, "list": [None, {"a": None}]}},
)
POD: Json = {"volumes": None, "affinity": None, "securityContext": None, "containers": [
    {"name": "web", "image": "registry.example/web:1", "livenessProbe": None, "args": [None, "a"],
     "env": [{"name": "A", "value": None}], "resources": {"limits": None, "requests": {"cpu": None}}},
]}  # fmt: skip
BUILT_IN: tuple[tuple[str, Json], ...] = (
    ("v1 ConfigMap", {"metadata": {"labels": {"a": None}, "annotations": {"b": None}}, "data": {"a": None}}),
    ("v1 ConfigMap", {"metadata": {"labels": None, "creationTimestamp": None}, "data": None}),
    ("v1 Secret", {"data": {"a": None}, "stringData": {"b": None}}),
    ("v1 Secret", {"data": {"a": "eA=="}, "stringData": None}),
    ("v1 Service", {"spec": {
        "clusterIP": None, "selector": {"a": None}, "ports": [{"port": 80, "name": None}],
    }}),
    ("apps/v1 Deployment", {"spec": {
        "replicas": None, "strategy": None, "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"creationTimestamp": None, "labels": {"a": "b"}}, "spec": POD},
    }}),
)  # fmt: skip
_OF_ONE_OBJECT = ("metadata", "status", "clusterIP", "clusterIPs")


def _group(site: Site) -> str:
    return f"{site.namespace}.example"


def _definition(site: Site) -> Manifest:
    """Return the definition of a kind with nullable fields, a default, and free values."""
    text = {"type": "string", "nullable": True}
    spec = {
        "limit": {"type": "integer", "nullable": True, "default": 5},
        "strict": {"type": "integer", "default": 7},
        "map": {"type": "object", "nullable": True, "additionalProperties": text},
        "items": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}, "note": text},
            },
        },
        "values": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    }
    definition = yamls.definition("Widget", group=_group(site))
    properties = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    properties["spec"] = {"type": "object", "properties": spec}
    return definition


def _manifests(site: Site) -> list[Manifest]:
    kinds = [(f"{_group(site)}/v1 Widget", {"spec": spec}) for spec in SPECS]
    found = []
    for index, (kind, body) in enumerate([*kinds, *BUILT_IN]):
        api_version, name = kind.split(" ")
        metadata = {"name": f"n{index}", **body.get("metadata", {})}
        found.append({"apiVersion": api_version, "kind": name, **body, "metadata": metadata})
    return found


def _stored(site: Site, manifest: Manifest, prefix: str) -> Json:
    """Return what the object stores and what belongs to it alone, such as its name and address."""
    name = f"{prefix}{manifest['metadata']['name']}"
    place = site.place(f"{manifest['apiVersion']} {manifest['kind'].lower()}s", name)
    found = site.cluster.must_get(place)
    labels = {
        key: text for key, text in (found["metadata"].get("labels") or {}).items() if "nopea" not in key
    }
    annotations = (found["metadata"].get("annotations") or {}).items()
    own = {key: text for key, text in annotations if not key.startswith(("nopea.io/", "deployment."))}
    return {"labels": labels, "annotations": own, **_without(found, _OF_ONE_OBJECT)}


def _without(value: Any, names: tuple[str, ...]) -> Any:
    """Return the value without these fields at the top and in spec."""
    rest = {key: item for key, item in value.items() if key not in names}
    if isinstance(rest.get("spec"), dict):
        rest["spec"] = {key: item for key, item in rest["spec"].items() if key not in names}
    return rest


def _no_drift(repo: Repo) -> None:
    repo.sync_and_wait()
    reasons = {event["reason"] for event in repo.events()}
    assert not reasons & {"DriftHealed", "DriftDetected", "Contended", "Changed"}, repo.events()


def test_nulls_are_stored_as_by_kubectl(site: Site) -> None:
    """Each object has the values that it has from kubectl, and none of them drifts."""
    site.grant_all()
    manifests = _manifests(site)
    crd, files = yamls.text(_definition(site)), yamls.text(*manifests)
    repo = site.sync("shop", {"crd.yaml": crd, "all.yaml": files})
    for manifest in manifests:
        twin = copy.deepcopy(manifest)
        twin["metadata"] |= {"name": f"k{manifest['metadata']['name']}", "namespace": site.namespace}
        site.cluster.lab.run_kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(twin))
    for manifest in manifests:
        assert _stored(site, manifest, "") == _stored(site, manifest, "k"), manifest
    _no_drift(repo)


def test_a_null_that_another_manager_replaces_is_healed(site: Site) -> None:
    """A null in a custom resource is a value: who sets another one, or removes it, changes it."""
    site.grant_all()
    widget = {
        "apiVersion": f"{_group(site)}/v1",
        "kind": "Widget",
        "metadata": {"name": "w"},
        "spec": {"limit": None, "values": {"a": None}},
    }
    files = {"crd.yaml": yamls.text(_definition(site)), "w.yaml": yamls.text(widget)}
    repo = site.sync("shop", files)
    place = site.place(f"{_group(site)}/v1 widgets", "w")
    site.cluster.put(
        place,
        {"apiVersion": widget["apiVersion"], "kind": "Widget", "spec": {"limit": 9}},
        manager="operator",
    )

    def restored() -> None:
        spec = site.cluster.must_get(place)["spec"]
        assert (spec["limit"], spec["values"]) == (None, {"a": None}), spec

    eventually(restored, seconds=20)
    assert ".spec.limit 9 → (none)" in repo.wait_event("DriftHealed")["note"]
    path = [{"op": "remove", "path": "/spec/values/a"}]
    site.cluster.lab.run_kubectl(
        "patch", f"widgets.{_group(site)}", "w", "-n", site.namespace, "--type=json", "-p", json.dumps(path)
    )
    eventually(restored, seconds=20)
    always(restored, seconds=1)
