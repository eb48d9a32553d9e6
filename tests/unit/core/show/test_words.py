"""Words for numbers."""

from __future__ import annotations

from nopea.core.show.words import count


def test_one_is_singular() -> None:
    """The noun is in the plural for every number except 1."""
    assert [count(number, "object") for number in (0, 1, 2)] == ["0 objects", "1 object", "2 objects"]
