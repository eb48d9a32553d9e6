"""Which version of a chart a spec means."""

from __future__ import annotations

import pytest

from nopea.core.downloads.versions import choose, is_exact, tag_of, version_of

VERSIONS = ["1.2.0", "1.10.0", "1.9.9", "2.0.0-rc.1", "0.9.0", "not-a-version", "1.10.0+build.5"]


@pytest.mark.parametrize(
    ("wanted", "version"),
    [
        ("", "1.10.0"), ("*", "1.10.0"), ("1.x", "1.10.0"), ("~1.9", "1.9.9"), ("^0.9", "0.9.0"),
        ("1.2.0", "1.2.0"), ("<1.10", "1.9.9"), (">=2.0.0-0", "2.0.0-rc.1"),
        ("2.0.0-rc.1", "2.0.0-rc.1"), ("3.x", None),
    ],
)  # fmt: skip
def test_the_highest_version_in_the_range_is_chosen(wanted: str, version: str | None) -> None:
    """Pre-releases only where the range names one."""
    assert choose(VERSIONS, wanted) == version


def test_an_exact_version_is_that_one() -> None:
    """Ranges do not look at build metadata; a lock does."""
    assert choose(["1.2.3+a", "1.2.3+b"], "1.2.3+b") == "1.2.3+b"


def test_a_range_that_cannot_be_read_is_named() -> None:
    """The error has the text."""
    with pytest.raises(ValueError, match="latest"):
        choose(VERSIONS, "latest")


def test_a_tag_has_no_plus() -> None:
    """Helm writes an underscore there."""
    assert tag_of("1.2.3+build.5") == "1.2.3_build.5"
    assert version_of(tag_of("1.2.3+build.5")) == "1.2.3+build.5"


@pytest.mark.parametrize(
    ("text", "exact"), [("1.2.3", True), ("v1.2.3", True), ("1.2", False), ("^1.2.3", False)]
)
def test_an_exact_version_needs_no_list(text: str, exact: bool) -> None:
    """It is asked for directly."""
    assert is_exact(text) is exact
