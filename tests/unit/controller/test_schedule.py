"""The intervals of a repository stay within their bounds for any random value."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nopea.controller.schedule import Schedule

CHANCE = st.floats(0, 1, exclude_max=True)


@settings(deadline=None, max_examples=40)
@given(chance=CHANCE, interval=st.floats(1, 1e8))
def test_polls_come_within_a_tenth_of_the_interval(chance: float, interval: float) -> None:
    """The jitter of polls and reconciliations is at most ten percent."""
    schedule = Schedule(interval, lambda: chance)

    assert 0.9 * interval <= schedule.poll_seconds() <= 1.1 * interval
    assert 1.8 * interval <= schedule.reconcile_seconds() <= 2.2 * interval


@settings(deadline=None, max_examples=40)
@given(chance=CHANCE, interval=st.floats(1, 1e8), failures=st.integers(1, 10**9))
def test_retries_never_stop_and_never_exceed_the_interval(
    chance: float, interval: float, failures: int
) -> None:
    """After any number of failures the next retry comes within 120 percent of the interval."""
    assert 0.8 <= Schedule(interval, lambda: chance).retry_seconds(failures) <= 1.2 * interval


def test_retries_double_up_to_the_interval() -> None:
    """Without jitter the pauses are 1, 2, 4 … seconds, then the interval."""
    schedule = Schedule(10.0, lambda: 0.5)

    assert [schedule.retry_seconds(failures) for failures in (1, 2, 3, 4, 5, 6)] == [1, 2, 4, 8, 10, 10]


@settings(deadline=None, max_examples=40)
@given(chance=CHANCE, retry=st.floats(1, 1e8), failures=st.integers(1, 10**9))
def test_the_retry_interval_limits_the_pauses_instead(chance: float, retry: float, failures: int) -> None:
    """It may be shorter or longer than the interval, and does not change the polls."""
    schedule = Schedule(60.0, lambda: chance, retry)

    assert 0.8 <= schedule.retry_seconds(failures) <= 1.2 * retry
    assert 54 <= schedule.poll_seconds() <= 66


def test_retries_double_up_to_the_retry_interval() -> None:
    """Without jitter the pauses are 1, 2, 4 … seconds, then the retry interval."""
    short, long = Schedule(60.0, lambda: 0.5, 3.0), Schedule(3.0, lambda: 0.5, 60.0)

    assert [short.retry_seconds(failures) for failures in (1, 2, 3, 4)] == [1, 2, 3, 3]
    assert [long.retry_seconds(failures) for failures in (5, 6, 7, 8)] == [16, 32, 60, 60]


def test_two_repositories_do_not_stay_in_step() -> None:
    """Different random values give different pauses for polls and retries."""
    early, late = Schedule(300.0, lambda: 0.0), Schedule(300.0, lambda: 0.999)

    assert early.poll_seconds() == pytest.approx(270)
    assert late.poll_seconds() == pytest.approx(330, rel=0.01)
    assert early.retry_seconds(1) < late.retry_seconds(1)


@pytest.mark.parametrize(
    ("interval", "retry", "slow", "stalled"),
    [(300.0, None, 300, 300), (5.0, None, 5, 60), (300.0, 10.0, 10, 10), (5.0, 900.0, 900, 900)],
)
def test_what_no_retry_mends_waits_for_the_slow_end(
    interval: float, retry: float | None, slow: float, stalled: float
) -> None:
    """Where only settings help, that is at least a minute, unless the spec says how often to retry."""
    schedule = Schedule(interval, lambda: 0.5, retry)

    assert (schedule.slow_retry_seconds(), schedule.stalled_retry_seconds()) == (slow, stalled)
    assert Schedule(interval, lambda: 0.0, retry).slow_retry_seconds() == pytest.approx(0.8 * slow)
