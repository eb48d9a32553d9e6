"""Backoff: growth, limit and jitter."""

from __future__ import annotations

from nopea.kube.pause import Backoff


def test_the_backoff_doubles_with_jitter_up_to_the_maximum() -> None:
    """Each pause is between half and all of a value that doubles up to the maximum."""
    backoff = Backoff(first_seconds=1, most_seconds=30)
    for ceiling in (1, 2, 4, 8, 16, 30, 30):
        assert ceiling / 2 <= backoff.next_seconds() <= ceiling
    for _ in range(5000):
        assert backoff.next_seconds() <= 30
    backoff.reset()
    assert backoff.next_seconds() <= 1
