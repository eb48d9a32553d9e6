"""Fields that are taken once, and notes about the rest."""

from __future__ import annotations

import pytest

from nopea.core.migrate.model import (
    Fields,
    Migrated,
    Notes,
    NotMappedError,
    git_repository,
    origin_of,
    path_of,
    url_of,
)

URL = "https://git.example/web"


def test_what_nobody_takes_is_noted() -> None:
    """Empty fields are not: they say nothing."""
    notes = Notes()
    fields = Fields(
        {"a": 1, "b": {"c": 2}, "d": None, "e": False, "f": [], "g": [{"h": 1}, {"h": 1}]}, "spec", notes
    )

    assert fields.take("a") == 1
    fields.below("b")
    first, _ = fields.each("g")
    assert first.take("h") == 1
    fields.rest()
    fields.rest()

    assert notes.lines == ["not mapped: spec.b.c", "not mapped: spec.g[1].h"]


def test_an_invalid_spec_is_noted() -> None:
    """The user corrects it before it is applied."""
    notes = Notes()

    made = git_repository("web", "shop", {"url": URL, "interval": 5, "path": None}, notes)

    assert made["spec"] == {"url": URL, "interval": 5}
    assert notes.lines[0].startswith("not mapped: The spec is invalid: Expected `str`, got `int`")


def test_a_duration_out_of_bounds_is_left_out() -> None:
    """The API server would refuse the object; the default is in bounds."""
    notes = Notes()

    made = git_repository("web", "shop", {"url": URL, "timeout": "2h", "interval": "1m"}, notes)

    assert made["spec"] == {"url": URL, "interval": "1m"}
    assert notes.lines == ["not mapped: spec.timeout: must be between 1s and 1h"]


@pytest.mark.parametrize("spec", [{"url": "oci://git.example/web"}, {"url": URL, "path": "a/../b"}])
def test_what_the_api_server_refuses_is_not_printed(spec: dict[str, str]) -> None:
    """Without these fields it would be another GitRepository."""
    with pytest.raises(NotMappedError, match="the API server would refuse it: spec"):
        git_repository("web", "shop", spec, Notes())


@pytest.mark.parametrize(
    ("text", "folder", "path"),
    [
        ("./a//b/", "", "a/b"),
        (".", "", ""),
        ("", "a", "a"),
        ("../c", "a/b", "a/c"),
        ("/c", "a/b", "c"),
        ("../../c", "a", "c"),
    ],
)
def test_a_path_does_not_leave_the_repository(text: str, folder: str, path: str) -> None:
    """The API server refuses one with dots."""
    assert path_of(text, folder=folder) == path


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("https://bot:x@h/a", "https://h/a"),
        ("https://token@h/a", "https://h/a"),
        ("oci://bot:x@h/a", "oci://h/a"),
        ("ssh://git:x@h/a", "ssh://git@h/a"),
        ("https://h/a@b", "https://h/a@b"),
        ("git@h:a", "git@h:a"),
    ],
)
def test_a_url_has_no_credentials(url: str, clean: str) -> None:
    """A user without a password is none in an SSH URL."""
    notes = Notes()

    assert url_of(Fields({"url": url}, "spec", notes), "url", login="spec.secretRef") == clean
    assert [line.partition(": its")[0] for line in notes.lines] == ["not mapped: spec.url"] * (url != clean)


def test_only_what_is_not_mapped_is_incomplete() -> None:
    """A note alone is advice."""
    assert Migrated(origin="", manifest={}, notes=("note: x",)).is_complete
    assert not Migrated(origin="", manifest={}, notes=("not mapped: x",)).is_complete
    assert not Migrated(origin="", manifest=None).is_complete


def test_an_object_is_named_by_kind_namespace_and_name() -> None:
    """The namespace is missing in many files."""
    assert origin_of({"kind": "Application", "metadata": {"name": "web"}}) == "Application web"
