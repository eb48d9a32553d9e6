"""Helm's annotations in Nopea's own."""

from __future__ import annotations

from typing import Any

import pytest

from nopea.core.manifests.hooks import from_helm, named


def _annotations(kind: str = "Job", **annotations: str) -> dict[str, str] | None:
    names = {name.replace("_", "-"): text for name, text in annotations.items()}
    given = {(name if "/" in name else f"helm.sh/{name}"): text for name, text in names.items()}
    manifest = from_helm({"kind": kind, "metadata": {"name": "x", "annotations": given}})
    if manifest is None:
        return None
    added: dict[str, str] = manifest["metadata"]["annotations"]
    return {name: text for name, text in added.items() if name.startswith("nopea.io/")}


@pytest.mark.parametrize(
    ("hook", "weight", "wave"),
    [
        ("pre-install", "", "-750"),
        ("pre-upgrade,pre-install", "-5", "-755"),
        ("post-install", "10", "760"),
        ("post-upgrade, test", "0", "750"),
        ("pre-install,post-install", "1", "-749"),
        ("pre-install", "-100000", "-999"),
        ("post-install", "100000", "999"),
        ("post-install", "soon", "750"),
    ],
)
def test_hooks_are_in_the_wave_of_their_event_and_weight(hook: str, weight: str, wave: str) -> None:
    """A weight that is no number counts as 0, as in Helm; waves end at 1000."""
    assert _annotations("ConfigMap", hook=hook, hook_weight=weight) == {"nopea.io/wave": wave}


def test_a_job_is_awaited_and_may_be_made_again() -> None:
    """Helm deletes the one before."""
    assert _annotations(hook="pre-install", hook_delete_policy="before-hook-creation, hook-succeeded") == {
        "nopea.io/wave": "-750",
        "nopea.io/await": "true",
        "nopea.io/force": "true",
        "nopea.io/delete-after": "succeeded",
    }
    both = _annotations(hook="post-install", hook_delete_policy="hook-succeeded,hook-failed")
    assert both is not None
    assert both["nopea.io/delete-after"] == "failed,succeeded"


@pytest.mark.parametrize("hook", ["test", "pre-delete", "post-delete", "pre-rollback", "post-rollback", "x"])
def test_other_events_leave_the_object_out(hook: str) -> None:
    """Nopea does not run them."""
    assert _annotations(hook=hook) is None


def test_an_object_to_keep_is_as_the_chart_says() -> None:
    """That it is never pruned follows from the annotation of the live object, as for any manifest."""
    assert _annotations("ConfigMap", resource_policy="keep") == {}


@pytest.mark.parametrize(
    "manifest",
    [{}, {"metadata": None}, {"metadata": {"annotations": None}}, {"metadata": {"annotations": 5}}],
)
def test_what_has_no_annotations_is_no_hook(manifest: dict[str, Any]) -> None:
    """Other errors are reported by the check of the object."""
    assert from_helm(manifest) == manifest


def test_annotations_of_nopea_in_the_chart_stay() -> None:
    """Who writes a wave means it."""
    metadata = {"annotations": {"helm.sh/hook": "pre-install", "nopea.io/wave": "3"}}
    manifest = from_helm({"kind": "ConfigMap", "metadata": metadata})

    assert manifest is not None
    assert manifest["metadata"]["annotations"]["nopea.io/wave"] == "3"


def test_a_hook_without_a_name_gets_one_by_its_place() -> None:
    """The same at every rendering, so that it runs again only when it changed."""
    hook = {"metadata": {"generateName": "x-", "annotations": {"helm.sh/hook": "pre-install"}}}

    first, again, other = (named(hook, place) for place in ("a.yaml#0", "a.yaml#0", "a.yaml#1"))

    assert first == again
    assert first["metadata"]["name"] != other["metadata"]["name"]
    assert first["metadata"]["name"].startswith("x-")
    assert "generateName" not in first["metadata"]


@pytest.mark.parametrize(
    "manifest",
    [
        {"metadata": {"generateName": "x-"}},
        {"metadata": {"generateName": "x-", "name": "x", "annotations": {"helm.sh/hook": "test"}}},
        {"metadata": {"generateName": 5, "annotations": {"helm.sh/hook": "test"}}},
        {"metadata": "x"},
        {},
    ],
)
def test_only_hooks_without_a_name_get_one(manifest: dict[str, Any]) -> None:
    """Another object would be made at each sync, and is refused."""
    assert named(manifest, "a.yaml#0") == manifest
