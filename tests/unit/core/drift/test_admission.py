"""Values that admission changed, told from other spellings and from what others own."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from tests.unit.core.apply.owned import deployment, entry, owned_fields, stored, trie

from nopea.core.apply.fieldset import Path, render_path
from nopea.core.apply.ignore_rules import IgnoreRules
from nopea.core.drift.admission import changed_at_admission, digest_of

IMAGE = '.spec.template.spec.containers[name="web"].image'
LIMIT = '.spec.template.spec.containers[name="web"].resources.limits.cpu'


def _container(manifest: dict[str, Any]) -> Any:
    return manifest["spec"]["template"]["spec"]["containers"][0]


def _stored(**changed: Any) -> dict[str, Any]:
    """Return the Deployment with a changed container, all of it still ours."""
    live = copy.deepcopy(stored(deployment()))
    _container(live).update(changed)
    return live


def _changed(live: dict[str, Any], **options: Any) -> list[str]:
    return [render_path(path) for path in changed_at_admission(deployment(), live, **options)]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, []),
        ({"image": "mirror.example/web:1"}, [IMAGE]),
        ({"image": None}, [IMAGE]),
        ({"args": ["--slow"]}, ['.spec.template.spec.containers[name="web"].args']),
        ({"resources": {"limits": {"cpu": "2", "memory": "1024Mi"}}}, []),
        ({"resources": {"limits": {"cpu": "1", "memory": "1Gi"}}}, [LIMIT]),
        ({"resources": {"limits": {"cpu": "2", "memory": None}}}, [LIMIT.replace("cpu", "memory")]),
        ({"terminationMessagePath": "/dev/termination-log"}, []),
    ],
)
def test_only_another_value_of_ours_counts(changed: dict[str, Any], expected: list[str]) -> None:
    """Spellings and defaults are as the API server wants; what Git does not set is not ours."""
    assert _changed(_stored(**changed)) == expected


def test_an_injected_container_is_not_a_change() -> None:
    """It is in addition to Git, like everything that others set."""
    live = _stored()
    live["spec"]["template"]["spec"]["containers"].insert(0, {"name": "sidecar", "image": "x"})
    assert _changed(live) == []


def test_fields_of_others_and_ignored_fields_do_not_count() -> None:
    """An autoscaler's replicas are its own; a pointer of `ignoreDifferences` leaves its field alone."""
    live = _stored(image="mirror.example/web:1")
    ignored = IgnoreRules(pointers=("/spec/template/spec/containers/0/image",))
    assert _changed(live, rules=ignored) == []
    path: Path = ("f:spec", "f:replicas")
    fields = owned_fields(deployment())
    without = {**fields, "f:spec": {k: v for k, v in fields["f:spec"].items() if k != "f:replicas"}}
    scaled = stored(deployment(), entry(trie([path]), manager="hpa", operation="Update"), fields=without)
    scaled["spec"]["replicas"] = 9
    assert _changed(scaled) == []


def test_the_digest_is_that_of_the_paths() -> None:
    """A new image that is changed in the same place is not news."""
    assert digest_of([]) == ""
    assert digest_of([("f:a",), ("f:b",)]) == digest_of([("f:b",), ("f:a",)]) != digest_of([("f:a",)])


@pytest.mark.parametrize(
    ("sent", "kept", "is_same"),
    [
        ("1024Mi", "1Gi", True),
        ("2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05Z", True),
        ("2026-01-02T03:04:05+02:00", "2026-01-02T01:04:06Z", False),
        ("", "Always", True),
        (None, 5, True),
        ([{"memory": "1024Mi"}], [{"memory": "1Gi", "more": 1}], True),
        ([{"a": "b"}], [{"a": "b"}, {"c": "d"}], False),
        ({"a": {"b": "x"}}, {"a": {"b": "y"}}, False),
        ("x", 1, False),
        (["x"], None, False),
    ],
)
def test_the_api_server_may_write_a_value_in_its_own_way(sent: Any, kept: Any, is_same: bool) -> None:
    """Quantities and times are known in every field, and a default takes the place of an empty value."""
    ours = entry({"f:value": {}}, manager="nopea", operation="Apply")
    head = {"apiVersion": "v1", "kind": "Thing"}
    live = {**head, "metadata": {"managedFields": [ours]}, "value": kept}
    assert changed_at_admission({**head, "value": sent}, live) == (() if is_same else (("f:value",),))
