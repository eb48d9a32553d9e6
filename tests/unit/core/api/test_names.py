"""The names on which users and other programs depend."""

from __future__ import annotations

from pathlib import Path

import pytest

from nopea.core.api import names

SPEC = (Path(__file__).parents[4] / "docs" / "spec.md").read_text(encoding="utf-8")
PUBLIC = {name: value for name, value in vars(names).items() if name.isupper()}


@pytest.mark.parametrize(
    "name", [name for name in PUBLIC if name.endswith(("_LABEL", "_ANNOTATION")) or name == "FINALIZER"]
)
def test_every_label_and_annotation_is_in_our_group_and_documented(name: str) -> None:
    """Each label, annotation and finalizer is described in docs/spec.md."""
    assert PUBLIC[name].startswith(f"{names.GROUP}/")
    assert f"`{PUBLIC[name]}`" in SPEC


def test_no_two_names_are_equal() -> None:
    """An annotation or label with two meanings would do two things."""
    values = [value for name, value in PUBLIC.items() if name.endswith(("_LABEL", "_ANNOTATION"))]
    assert len(values) == len(set(values))


def test_the_group_version_and_manager_never_change() -> None:
    """Stored objects and managedFields contain these names."""
    assert names.API_VERSION == "nopea.io/v1alpha1"
    assert names.FIELD_MANAGER == "nopea"
