"""The tests mirror the sources, so that the tests of a module are found by its name."""

from __future__ import annotations

from tests.layout import problems


def test_every_module_has_its_test_file_and_every_class_one_name() -> None:
    """The layout rules also limit the length of a module to 400 lines."""
    assert problems() == []
