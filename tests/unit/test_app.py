"""How the drain's time is shared out."""

from __future__ import annotations

import pytest

from nopea.app import FLUSH_SECONDS, drain_shares


@pytest.mark.parametrize("whole", [1.0, 3.0, 8.0, 15.0, 25.0, 3600.0])
def test_no_step_of_the_drain_takes_time_beyond_the_whole(whole: float) -> None:
    """However short it is, passes, signals and closing each get some of it, and no more together."""
    passes, signals = drain_shares(whole)

    assert min(passes, signals) >= whole / 4 or signals == FLUSH_SECONDS
    assert passes + signals <= whole - min(4.0, whole / 4)


def test_the_passes_get_what_a_long_drain_leaves() -> None:
    """By default: 16 s for passes, 5 s for Events and messages, the rest for closing."""
    assert drain_shares(25.0) == (16.0, 5.0)
