"""Words for numbers."""

from __future__ import annotations


def count(number: int, noun: str) -> str:
    """Return `1 object`, `2 objects`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
