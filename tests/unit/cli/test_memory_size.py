"""The type of options that are sizes of memory or disk."""

from __future__ import annotations

import click
import pytest

from nopea.cli.memory_size import MemorySize


@pytest.mark.parametrize(
    ("text", "size"),
    [("512Mi", 512 * 2**20), ("1Gi", 2**30), ("64Ki", 64 * 2**10), ("1048576", 2**20), ("0", 0)],
)
def test_sizes_are_written_as_in_kubernetes(text: str, size: int) -> None:
    """A size has a binary unit or is a number of bytes; an integer is taken as it is."""
    assert MemorySize().convert(text, None, None) == size
    assert MemorySize().convert(size, None, None) == size


@pytest.mark.parametrize(
    "text", ["", "Mi", "512M", "512mi", "512 Mi", "-1", "1.5Gi", "1e9", "٥Mi", "five", "9" * 5000, "9" * 30]
)
def test_an_invalid_size_is_refused(text: str) -> None:
    """An invalid size is a usage error with a message, not a traceback."""
    with pytest.raises(click.BadParameter, match="is not a size"):
        MemorySize().convert(text, None, None)
