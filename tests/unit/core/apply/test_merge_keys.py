"""How lists are merged."""

from __future__ import annotations

from typing import Any

import pytest

from nopea.core.apply.merge_keys import by_path_element, keys_of_list


@pytest.mark.parametrize(
    ("name", "inside", "kind", "keys"),
    [
        ("containers", "spec", "Deployment", ("name",)),
        ("ports", "containers", "Deployment", ("containerPort", "protocol")),
        ("ports", "initContainers", "Pod", ("containerPort", "protocol")),
        ("ports", "spec", "Service", ("port", "protocol")),
        ("ports", "ingress", "NetworkPolicy", None),
        ("ports", "spec", "Deployment", None),
        ("env", "containers", "Pod", ("name",)),
        ("volumeMounts", "containers", "Pod", ("mountPath",)),
        ("topologySpreadConstraints", "spec", "Pod", ("topologyKey", "whenUnsatisfiable")),
        ("imagePullSecrets", "spec", "Pod", ("name",)),
        ("imagePullSecrets", "", "ServiceAccount", None),
        ("secrets", "", "ServiceAccount", ("name",)),
        ("secrets", "spec", "Ingress", None),
        ("variables", "spec", "ValidatingAdmissionPolicy", ("name",)),
        ("webhooks", "", "MutatingWebhookConfiguration", ("name",)),
        ("ownerReferences", "metadata", "Pod", ("uid",)),
        ("finalizers", "metadata", "Pod", ()),
        ("finalizers", "spec", "Namespace", None),
        ("args", "containers", "Pod", None),
        ("rules", "", "Role", None),
    ],
)
def test_the_lists_of_built_in_kinds(name: str, inside: str, kind: str, keys: Any) -> None:
    """Lists of built-in kinds are merged by keys, are sets (no keys), or are atomic (None)."""
    assert keys_of_list(name, inside=inside, kind=kind, built_in=True) == keys


def test_the_lists_of_custom_resources_are_atomic() -> None:
    """Only the lists in the metadata, which all kinds share, are merged."""
    assert keys_of_list("containers", inside="spec", kind="Shop", built_in=False) is None
    assert keys_of_list("finalizers", inside="metadata", kind="Shop", built_in=False) == ()
    assert keys_of_list("ownerReferences", inside="metadata", kind="Shop", built_in=False) == ("uid",)


def test_items_by_their_path_elements() -> None:
    """Keys get their defaults, set members are named by value, and nulls are skipped."""
    assert by_path_element([{"port": 1}, None], ("port", "protocol")) == {
        'k:{"port":1,"protocol":"TCP"}': {"port": 1}
    }
    assert by_path_element(["a", None, 1], ()) == {'v:"a"': "a", "v:1": 1}
    assert by_path_element(None, ("name",)) == {}


@pytest.mark.parametrize(
    "items", [[{"name": "a"}, {"name": "a"}], [{"x": 1}], ["a"], "text", {"name": "a"}, 1]
)
def test_other_lists_are_atomic(items: Any) -> None:
    """Lists with duplicates or with items without keys, and other values, are atomic."""
    assert by_path_element(items, ("name",)) is None
