"""Fields that are taken once, and notes about the rest."""

from __future__ import annotations

from nopea.core.migrate.model import Fields, Migrated, Notes, git_repository, origin_of


def test_what_nobody_takes_is_noted() -> None:
    """Empty fields are not: they say nothing."""
    notes = Notes()
    fields = Fields({"a": 1, "b": {"c": 2}, "d": None, "e": False, "f": []}, "spec", notes)

    assert fields.take("a") == 1
    fields.below("b").rest()
    fields.rest()

    assert notes.lines == ["not mapped: spec.b.c"]


def test_an_invalid_spec_is_noted() -> None:
    """The user corrects it before it is applied."""
    notes = Notes()

    made = git_repository(
        "web", "shop", {"url": "https://git.example/web", "interval": 5, "path": None}, notes
    )

    assert made["spec"] == {"url": "https://git.example/web", "interval": 5}
    assert notes.lines[0].startswith("note: the spec is invalid, correct it first:")


def test_only_what_is_not_mapped_is_incomplete() -> None:
    """A note alone is advice."""
    assert Migrated(origin="", manifest={}, notes=("note: x",)).is_complete
    assert not Migrated(origin="", manifest={}, notes=("not mapped: x",)).is_complete
    assert not Migrated(origin="", manifest=None).is_complete


def test_an_object_is_named_by_kind_namespace_and_name() -> None:
    """The namespace is missing in many files."""
    assert origin_of({"kind": "Application", "metadata": {"name": "web"}}) == "Application web"
