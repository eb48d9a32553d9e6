"""Backoff: growth, bound, jitter."""

from __future__ import annotations

from nopea.kube.pause import Backoff


def test_doubles_with_jitter_up_to_the_bound() -> None:
    """Each pause is between half and all of a ceiling that doubles up to the most, for ever."""
    backoff = Backoff(first_seconds=1, most_seconds=30)
    for ceiling in (1, 2, 4, 8, 16, 30, 30):
        assert ceiling / 2 <= backoff.next_seconds() <= ceiling
    for _ in range(5000):
        assert backoff.next_seconds() <= 30
    backoff.reset()
    assert backoff.next_seconds() <= 1
