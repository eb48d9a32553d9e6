"""Refused fields that the manifest lacks: whose they are, and which defaults are removed."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from tests.unit.core.apply.owned import HOSTILE_TRIES, JSON, deployment, entry, owned_fields, stored

from nopea.core.apply.fieldset import entry_of, fields_of
from nopea.core.apply.strays import claim_defaults, holder_of, is_stray

UPDATE = "spec.strategy.rollingUpdate"


def _declared() -> dict[str, Any]:
    manifest = deployment()
    manifest["spec"]["strategy"] = {"type": "Recreate"}
    return manifest


def _live(*entries: dict[str, Any]) -> dict[str, Any]:
    """Return the Deployment as stored before Git declared a strategy, with the default."""
    live = stored(deployment(), *entries)
    live["spec"]["strategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}}
    live["metadata"]["resourceVersion"] = "7"
    return live


def _tuner(fields: Any) -> dict[str, Any]:
    return entry({"f:spec": {"f:strategy": {"f:rollingUpdate": fields}}}, manager="acme-tuner")


@pytest.mark.parametrize(
    ("field", "stray"),
    [
        (UPDATE, True),
        ("spec.strategy.type", False),
        ("spec.template.spec.containers[0].image", False),
        ("spec.template.spec.containers[0].lifecycle.preStop", True),
        ("spec.template.spec.containers[7].image", False),
        ("metadata.labels[team]", False),
        ("metadata.annotations[acme.example/x]", True),
        ("status.storedVersions[0]", True),
        ("", False),
        ("<nil>", True),
    ],
)
def test_whether_the_manifest_has_the_field(field: str, stray: bool) -> None:
    """A field of a list item that cannot be told apart counts as the manifest's."""
    assert is_stray(field, _declared()) == stray


@pytest.mark.parametrize(
    ("field", "holder"),
    [
        (UPDATE, "acme-tuner"),
        ("spec.strategy.other", "acme-tuner"),  # an error may name the field as in the internal version
        ("spec.strategy.type", ""),
        ("spec.paused", None),
        ("<nil>", None),
        ("", None),
    ],
)
def test_the_holder_of_a_field(field: str, holder: str | None) -> None:
    """It is the manager of the field or of what is around it, nobody for a default, else unknown."""
    assert holder_of(field, _live(_tuner({}))) == holder


def test_a_default_is_claimed() -> None:
    """Our entry gets the field besides its own, and the patch detects a concurrent change."""
    patch = claim_defaults([UPDATE], manifest=_declared(), live=_live())

    assert patch is not None
    managed, version = orjson.loads(patch)
    ours = fields_of(entry_of(managed["value"], manager="nopea"))
    assert ours["f:spec"].pop("f:strategy") == {"f:rollingUpdate": {}}
    assert ours == owned_fields(deployment())
    assert version == {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"}


@pytest.mark.parametrize(
    "fields",
    [
        [],
        ["spec.strategy.type"],
        [UPDATE, "spec.replicas"],
        ["spec.template.spec.containers[0].imagePullPolicy"],
        ["spec.progressDeadlineSeconds"],
        ["metadata.labels.other"],
    ],
)
def test_other_fields_are_not_claimed(fields: list[str]) -> None:
    """Nothing is removed for an error that also is about Git's fields, or without a declaration beside it."""
    assert claim_defaults(fields, manifest=_declared(), live=_live()) is None


@pytest.mark.parametrize("fields", [{}, {"f:maxSurge": {}}])
def test_what_another_manager_owns_is_not_claimed(fields: Any) -> None:
    """Not even a part of it."""
    assert claim_defaults([UPDATE], manifest=_declared(), live=_live(_tuner(fields))) is None


def test_without_a_declaration_beside_it_or_an_entry_of_ours_nothing_is_claimed() -> None:
    """The default is in nobody's way, or the object was never applied."""
    assert claim_defaults([UPDATE], manifest=deployment(), live=_live()) is None
    live = _live()
    live["metadata"]["managedFields"] = []
    assert claim_defaults([UPDATE], manifest=_declared(), live=live) is None


@given(JSON, JSON, HOSTILE_TRIES)
def test_no_shape_raises(spec: Any, wanted: Any, fields: Any) -> None:
    """Whatever the server answers, there is a result."""
    live = {"metadata": {"managedFields": [entry(fields), entry(fields, manager="x")]}, "spec": spec}
    for field in (UPDATE, "spec[0].a", "spec.a[b/c~d]", "]["):
        assert is_stray(field, {"spec": wanted}) in (True, False)
        holder_of(field, live)
