"""How many lines a flood may write."""

from __future__ import annotations

from tests.unit.web.edge import Clock

from nopea.web.allowance import Allowance


def test_a_burst_then_a_trickle_and_the_rest_is_counted() -> None:
    """What was kept back is told with the next one that is not."""
    clock = Clock()
    allowance = Allowance(clock, burst=2, seconds=10)
    assert [allowance.take() for _ in range(5)] == [0, 0, None, None, None]

    clock.seconds += 10
    assert [allowance.take() for _ in range(2)] == [3, None]


def test_a_quiet_hour_earns_one_burst() -> None:
    """Not more."""
    clock = Clock()
    allowance = Allowance(clock, burst=2, seconds=10)
    clock.seconds += 3600

    assert [allowance.take() for _ in range(3)] == [0, 0, None]
