"""The process: its limits, and the division of the time of the drain."""

from __future__ import annotations

import resource

import pytest

from nopea.app import FLUSH_SECONDS, MAX_FILES, _raise_file_limit, drain_shares


@pytest.mark.parametrize("whole", [1.0, 3.0, 8.0, 15.0, 25.0, 3600.0])
def test_the_steps_of_the_drain_take_no_more_than_its_time(whole: float) -> None:
    """However short the drain is, syncs, signals and closing each get a part of its time."""
    syncs, signals = drain_shares(whole)

    assert min(syncs, signals) >= whole / 4 or signals == FLUSH_SECONDS
    assert syncs + signals <= whole - min(4.0, whole / 4)


def test_the_syncs_get_the_rest_of_a_long_drain() -> None:
    """The default is 16 s for syncs, 5 s for Events and messages, and the rest for closing."""
    assert drain_shares(25.0) == (16.0, 5.0)


def test_the_limit_of_open_files_is_raised() -> None:
    """A low limit of the shell or the container runtime would let idle connections stop the probes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        _raise_file_limit()
        raised, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert raised == (MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES))
