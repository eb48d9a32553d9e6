"""Details of drift: owners of lists, empty values and maps, and values in another spelling."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from tests.unit.core.apply.owned import deployment, entry, owned_fields, stored, trie

from nopea.core.apply.fieldset import NO_FIELDS, Path, difference
from nopea.core.drift.find import Drift, find_drift
from nopea.core.drift.three_way import DriftKind

SPEC = "f:spec"
POD = (SPEC, "f:template", SPEC)
CONTAINER = (*POD, "f:containers", 'k:{"name":"web"}')
CPU = (*CONTAINER, "f:resources", "f:limits", "f:cpu")
CPU_TOLD = '.spec.template.spec.containers[name="web"].resources.limits.cpu'


def update(*paths: Path, manager: str = "kubectl-edit") -> dict[str, Any]:
    """Return the entry of a user who set these fields."""
    return entry(trie(paths), manager=manager, operation="Update")


def with_cpu(cpu: str | None) -> dict[str, Any]:
    """Return the Deployment with this CPU limit."""
    manifest = deployment()
    limits = manifest["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
    del limits["cpu"]
    if cpu is not None:
        limits["cpu"] = cpu
    return manifest


def widget(**spec: Any) -> dict[str, Any]:
    """Return an object of a custom kind."""
    head = {"apiVersion": "acme.example/v1", "kind": "Widget"}
    return {**head, "metadata": {"name": "w", "namespace": "shop"}, "spec": spec}


def told(drift: Drift) -> dict[str, tuple[Any, Any, str]]:
    """Return the changed fields by path: value in Git, live value and manager."""
    return {field.path: (field.from_, field.to, field.manager) for field in drift.fields}


def drift(live: Any, *, last: Any, desired: Any = None) -> Drift:
    """Find the drift; by default, the manifest in Git is the last applied one."""
    return find_drift(desired=last if desired is None else desired, last_applied=last, live=live)


# Values in another spelling


def test_another_spelling_is_not_a_change_in_git() -> None:
    """`2000m` and `2` are the same quantity."""
    found = drift(stored(with_cpu("2000m")), last=with_cpu("2000m"), desired=with_cpu("2"))
    assert found == Drift(kind=DriftKind.NO_DRIFT)


@pytest.mark.parametrize(
    ("last", "desired", "live", "expected"),
    [
        # Git now declares what the user set
        ("1", "2000m", "2", {}),
        (None, "2000m", "2", {}),
        ("1", "2000m", "3", {CPU_TOLD: ("2000m", "3", "kubectl-edit")}),
        (None, "2000m", "3", {CPU_TOLD: ("2000m", "3", "kubectl-edit")}),
        # Git declares the same value in another spelling, and the field has another owner
        ("2000m", "2", "2", {CPU_TOLD: ("2", "2", "kubectl-edit")}),
    ],
)
def test_quantities_are_compared_by_amount(last: Any, desired: str, live: str, expected: Any) -> None:
    """The spelling of a quantity does not matter."""
    there = stored(with_cpu(live), update(CPU), fields=difference(owned_fields(with_cpu("1")), trie([CPU])))
    assert told(drift(there, last=with_cpu(last), desired=with_cpu(desired))) == expected


def test_our_own_update_in_another_spelling() -> None:
    """A field in Nopea's own Update entry has not drifted, even with another spelling."""
    manifest = with_cpu("2000m")
    manifest["spec"]["template"]["spec"]["volumes"] = [{"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}]
    size = (*POD, "f:volumes", 'k:{"name":"tmp"}', "f:emptyDir", "f:sizeLimit")
    fields = difference(owned_fields(manifest), trie([CPU, size]))
    live = stored(with_cpu("2"), update(CPU, size, manager="nopea"), fields=fields)
    live["spec"]["template"]["spec"]["volumes"] = [{"name": "tmp", "emptyDir": {"sizeLimit": "1024Mi"}}]
    assert told(drift(live, last=manifest)) == {}


# Lists


def test_a_list_without_entry_is_merged_by_the_schema() -> None:
    """If all ports of a Service are replaced, each old port is a removed item."""
    service: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"type": "ClusterIP", "ports": [{"port": 80}, {"port": 443}]},
    }
    live = stored(service, fields={SPEC: {"f:type": {}}})
    live["spec"]["ports"] = [{"port": 8080, "protocol": "TCP"}]
    assert told(drift(live, last=service)) == {
        f'.spec.ports[port={port},protocol="TCP"]': ({"port": port}, None, "") for port in (80, 443)
    }


ITEM_A, ITEM_B = 'k:{"id":"a"}', 'k:{"id":"b"}'


@pytest.mark.parametrize("ours_says", [True, False])
def test_a_custom_kinds_list_is_merged_as_the_entries_say(ours_says: bool) -> None:
    """Our entry or another one shows that the list of a custom kind is merged by keys."""
    manifest = widget(parts=[{"id": "a", "size": 1}, {"id": "b", "size": 1}], keep=1)
    size = (SPEC, "f:parts", ITEM_A, "f:size")
    other: dict[str, Any] = {ITEM_B: {".": {}, "f:id": {}, "f:size": {}}}
    fields: dict[str, Any] = {SPEC: {"f:keep": {}, "f:parts": {ITEM_A: {".": {}, "f:id": {}}, **other}}}
    live = stored(manifest, update(size), fields=fields)
    live["spec"]["parts"][0]["size"] = 9
    if not ours_says:  # our entry does not contain the list
        fields[SPEC].pop("f:parts")
        theirs: dict[str, Any] = {SPEC: {"f:parts": {ITEM_A: {"f:size": {}}}}}
        live = stored(manifest, entry(theirs, manager="kubectl-edit", operation="Update"), fields=fields)
        live["spec"]["parts"][0]["size"] = 9
    assert told(drift(live, last=manifest)) == {'.spec.parts[id="a"].size': (1, 9, "kubectl-edit")}


def test_a_custom_kinds_set() -> None:
    """Each member of a set is compared separately."""
    manifest = widget(tags=["a", "b"])
    live = stored(manifest, fields={SPEC: {"f:tags": {'v:"a"': {}}}})
    live["spec"]["tags"] = ["a", "c"]
    assert told(drift(live, last=manifest)) == {'.spec.tags[="b"]': ("b", None, "")}


def test_a_custom_kinds_list_without_entry_is_atomic() -> None:
    """If no entry shows that the list is merged, it is one changed field."""
    manifest = widget(containers=[{"name": "a"}, {"name": "b"}], keep=1)
    live = stored(manifest, update((SPEC, "f:containers")), fields={SPEC: {"f:keep": {}}})
    live["spec"]["containers"] = [{"name": "b"}]
    assert told(drift(live, last=manifest)) == {
        ".spec.containers": ([{"name": "a"}, {"name": "b"}], [{"name": "b"}], "kubectl-edit")
    }


# Empty values


def test_an_empty_value_of_a_custom_kind_counts() -> None:
    """Its removal is drift, except in the metadata."""
    manifest = widget(parts=[], limits={}, keep=1)
    manifest["metadata"]["annotations"] = {}
    live = stored(manifest, fields={SPEC: {"f:keep": {}}})
    del live["spec"]["parts"], live["spec"]["limits"], live["metadata"]["annotations"]
    assert told(drift(live, last=manifest)) == {".spec.parts": ([], None, ""), ".spec.limits": ({}, None, "")}


def test_an_empty_value_of_a_built_in_kind_does_not_count() -> None:
    """The API server does not store empty values of built-in kinds."""
    manifest = deployment()
    manifest["spec"]["template"]["spec"] |= {"tolerations": [], "nodeSelector": {}}
    live = stored(manifest, fields=owned_fields(deployment()))
    del live["spec"]["template"]["spec"]["tolerations"], live["spec"]["template"]["spec"]["nodeSelector"]
    assert told(drift(live, last=manifest)) == {}


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        ({}, {".spec.limits": ({}, {"a": 1}, "operator")}),  # set as a whole, so it was replaced
        ({"f:a": {}}, {}),  # a key added by a controller
    ],
)
def test_who_changes_an_empty_map(theirs: Any, expected: Any) -> None:
    """A key that a controller adds is not drift; replacing the map is."""
    manifest = widget(limits={}, keep=1)
    filled = entry({SPEC: {"f:limits": theirs}}, manager="operator", operation="Update")
    live = stored(manifest, filled, fields={SPEC: {"f:keep": {}}})
    live["spec"]["limits"] = {"a": 1}
    assert told(drift(live, last=manifest)) == expected


# Maps and structs


def test_each_label_is_a_field() -> None:
    """Labels are compared one by one, even if another manager took over the whole map."""
    theirs: dict[str, Any] = {"f:metadata": {"f:labels": {".": {}, "f:team": {}}}}
    fields = copy.deepcopy(owned_fields(deployment()))
    del fields["f:metadata"]["f:labels"]
    live = stored(deployment(), entry(theirs, manager="kubectl-edit", operation="Update"), fields=fields)
    live["metadata"]["labels"]["team"] = "red"
    assert told(drift(live, last=deployment())) == {".metadata.labels.team": ("blue", "red", "kubectl-edit")}


def added(fields: Any, **pod: Any) -> dict[str, Any]:
    """Return the Deployment after a user added these fields to its Pod template."""
    live = stored(deployment(), entry(fields, manager="kubectl-edit", operation="Update"))
    for part, value in pod.items():
        live["spec"]["template"][part] |= value
    return live


def test_each_added_map_key_is_a_field() -> None:
    """The keys of a new map are one field each."""
    fields = trie([(SPEC, "f:template", "f:metadata", "f:annotations", key) for key in (".", "f:a", "f:b")])
    live = added(fields, metadata={"annotations": {"a": "1", "b": "2"}})
    assert told(drift(live, last=deployment())) == {
        ".spec.template.metadata.annotations.a": (None, "1", "kubectl-edit"),
        ".spec.template.metadata.annotations.b": (None, "2", "kubectl-edit"),
    }


SECURITY = [(*POD, "f:securityContext", key) for key in (".", "f:runAsUser", "f:runAsGroup")]


def test_a_new_struct_is_one_field() -> None:
    """A struct that the object did not have is one changed field."""
    live = added(trie(SECURITY), spec={"securityContext": {"runAsUser": 1, "runAsGroup": 1}})
    path, is_new = ".spec.template.spec.securityContext", (None, {"runAsUser": 1, "runAsGroup": 1})
    assert told(drift(live, last=deployment())) == {path: (*is_new, "kubectl-edit")}


@pytest.mark.parametrize("known", ["applied", "wanted"])
def test_additions_to_a_known_struct_are_fields(known: str) -> None:
    """If Git declares or declared the struct, each added field counts."""
    manifest = deployment()
    manifest["spec"]["template"]["spec"]["securityContext"] = {"runAsUser": 1}
    last = manifest if known == "applied" else deployment()
    live = stored(last, entry(trie(SECURITY), manager="kubectl-edit", operation="Update"))
    live["spec"]["template"]["spec"]["securityContext"] = {"runAsUser": 1, "runAsGroup": 1}
    assert told(drift(live, last=last, desired=manifest)) == {
        ".spec.template.spec.securityContext.runAsGroup": (None, 1, "kubectl-edit")
    }


# Identity and records


def test_the_identity_of_an_object_never_drifts() -> None:
    """The fields apiVersion, kind, name and namespace cannot drift."""
    theirs: dict[str, Any] = {
        "f:apiVersion": {},
        "f:kind": {},
        "f:metadata": {"f:name": {}, "f:namespace": {}},
    }
    live = stored(deployment(), entry(theirs, manager="operator", operation="Update"))
    live["apiVersion"] = "apps/v1beta2"
    assert told(drift(live, last=deployment())) == {}


def test_without_a_record_git_is_compared() -> None:
    """Our entry shows that the object was applied, so a manual change is still drift."""
    path = (SPEC, "f:replicas")
    live = stored(deployment(), update(path), fields=difference(owned_fields(deployment()), trie([path])))
    live["spec"]["replicas"] = 5
    found = find_drift(desired=deployment(), last_applied=None, live=live)
    assert found.kind is DriftKind.MANUAL_DRIFT
    assert told(found) == {".spec.replicas": (2, 5, "kubectl-edit")}


@pytest.mark.parametrize("odd", ["text", 1, None, [], [1], {}])
def test_a_value_of_another_shape_than_our_entry_says(odd: Any) -> None:
    """A value that does not match our field set gives a result, not an error."""
    live = stored(deployment())
    live["spec"]["template"]["spec"]["containers"] = odd
    assert drift(live, last=deployment()).kind in DriftKind
    live["spec"] = odd
    assert drift(live, last=deployment()).kind in DriftKind


# Nulls


def test_a_null_in_a_custom_resource_is_a_value() -> None:
    """It drifts when another manager sets it or somebody removes it, not while it is ours."""
    manifest = widget(limit=None, values={"a": None})
    limit, value = (SPEC, "f:limit"), (SPEC, "f:values", "f:a")
    ours = trie([limit, value])
    assert drift(stored(manifest, fields=ours), last=manifest) == Drift(kind=DriftKind.NO_DRIFT)
    live = stored(widget(limit=9, values={}), update(limit, manager="operator"), fields=NO_FIELDS)
    assert told(drift(live, last=manifest)) == {
        ".spec.limit": (None, 9, "operator"),
        ".spec.values.a": (None, None, ""),
    }


def test_a_null_in_a_built_in_kind_is_not_drift() -> None:
    """The API server stores a default in its place, and an autoscaler may set the field."""
    manifest = with_cpu("1")
    manifest["spec"]["replicas"] = None
    live = copy.deepcopy(manifest)
    live["spec"]["replicas"] = 5
    scaled = entry(trie([(SPEC, "f:replicas")]), manager="kube-controller-manager", operation="Update")
    assert drift(stored(live, scaled, fields=owned_fields(with_cpu("1"))), last=manifest).fields == ()
