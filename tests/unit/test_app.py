"""The division of the drain's time."""

from __future__ import annotations

import pytest

from nopea.app import FLUSH_SECONDS, drain_shares


@pytest.mark.parametrize("whole", [1.0, 3.0, 8.0, 15.0, 25.0, 3600.0])
def test_the_steps_of_the_drain_take_no_more_than_its_time(whole: float) -> None:
    """However short the drain is, syncs, signals and closing each get a part of its time."""
    syncs, signals = drain_shares(whole)

    assert min(syncs, signals) >= whole / 4 or signals == FLUSH_SECONDS
    assert syncs + signals <= whole - min(4.0, whole / 4)


def test_the_syncs_get_the_rest_of_a_long_drain() -> None:
    """The default is 16 s for syncs, 5 s for Events and messages, and the rest for closing."""
    assert drain_shares(25.0) == (16.0, 5.0)
