"""The tests mirror the sources: a stranger finds the tests of a module by its name."""

from __future__ import annotations

from tests.layout import problems


def test_every_module_has_its_test_file_and_every_class_one_name() -> None:
    """No module without tests, no tests without a module, no class name twice, no module over 400 lines."""
    assert problems() == []
