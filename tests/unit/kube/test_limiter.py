"""The adaptive limit of concurrent requests, and fairness between flows; in virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from nopea.kube.limiter import MOST_PAUSE_SECONDS, AdaptiveLimit, Bounds, Limiter
from nopea.tasks import end, spawn

pytestmark = pytest.mark.looptime


def _limit(start: int, *, least: int = 1, most: int = 64) -> AdaptiveLimit:
    return AdaptiveLimit(Bounds(least=least, most=most, start=start))


def test_the_limit_grows_only_if_it_is_used_up() -> None:
    """About one slot is added per round of successful requests that use all slots."""
    limit = _limit(8)
    for _ in range(100):
        limit.went_well(used=3)
    assert limit.allowed == 8
    for _ in range(9):
        limit.went_well(used=8)
    assert limit.allowed == 9
    for _ in range(100_000):
        limit.went_well(used=64)
    assert limit.allowed == 64


def test_the_limit_shrinks_once_per_overload() -> None:
    """Simultaneous rejections count once; the limit never falls below the minimum."""
    limit = _limit(32, least=4)
    for _ in range(30):
        limit.overloaded(now=10.0, retry_after_seconds=None)
    assert limit.allowed == 22
    limit.overloaded(now=11.0, retry_after_seconds=None)
    assert limit.allowed == 15
    for second in range(100):
        limit.overloaded(now=20.0 + second, retry_after_seconds=None)
    assert limit.allowed == 4


def test_a_pause_is_bounded() -> None:
    """The latest end of a pause counts, and a very long Retry-After is shortened."""
    limit = _limit(8)
    limit.overloaded(now=10.0, retry_after_seconds=5)
    limit.overloaded(now=10.0, retry_after_seconds=2)
    assert limit.paused_until == 15.0
    limit.overloaded(now=10.0, retry_after_seconds=1e9)
    assert limit.paused_until == 10.0 + MOST_PAUSE_SECONDS


async def _work(limiter: Limiter, flow: str, done: list[str], *, seconds: float = 1.0) -> None:
    async with limiter.slot(flow):
        await asyncio.sleep(seconds)
    done.append(flow)


async def test_the_limit_is_never_exceeded(looptime: Any) -> None:
    """All requests of all flows are done, at most ten at a time."""
    limiter = Limiter(_limit(10))
    most = 0

    async def request(flow: str) -> None:
        nonlocal most
        async with limiter.slot(flow):
            most = max(most, limiter.used)
            await asyncio.sleep(1)

    await asyncio.gather(*(request(f"flow-{number % 7}") for number in range(100)))

    assert 8 <= most <= 10  # some slots are reserved for new flows
    assert (limiter.used, limiter.waiting) == (0, 0)
    assert looptime <= 20


async def test_a_long_queue_does_not_starve_others(looptime: Any) -> None:
    """With 1,000 waiting requests of one flow, another flow waits for one request at most."""
    limiter = Limiter(_limit(8))
    done: list[str] = []
    big = [spawn(_work(limiter, "big", done), name=f"big-{n}") for n in range(1000)]
    await asyncio.sleep(0.5)

    await _work(limiter, "small", done)

    assert looptime == 1.5
    await end(*big)
    assert (limiter.used, limiter.waiting) == (0, 0)


async def test_hanging_requests_leave_a_slot_for_others(looptime: Any) -> None:
    """Flows with hanging requests cannot use all slots."""
    limiter = Limiter(_limit(8))
    done: list[str] = []
    hanging = []
    for flow in ("a", "b", "c"):
        hanging += [spawn(_work(limiter, flow, done, seconds=1e6), name=flow) for _ in range(100)]
        await asyncio.sleep(0.1)

    await _work(limiter, "newcomer", done)

    assert done == ["newcomer"]
    assert looptime == pytest.approx(1.3)
    await end(*hanging)


async def test_first_come_first_served_in_a_flow(looptime: Any) -> None:
    """Requests of a flow are started in their order."""
    del looptime
    limiter = Limiter(_limit(2))
    order: list[int] = []

    async def request(number: int) -> None:
        async with limiter.slot("flow"):
            order.append(number)
            await asyncio.sleep(1)

    await asyncio.gather(*(request(number) for number in range(10)))

    assert order == list(range(10))


async def test_a_pause_applies_to_all_flows(looptime: Any) -> None:
    """No request starts before the end of the pause."""
    limiter = Limiter(_limit(8))
    done: list[str] = []
    limiter.overloaded(5)

    await asyncio.gather(*(_work(limiter, flow, done, seconds=0) for flow in "abc"))

    assert looptime >= 5
    assert sorted(done) == ["a", "b", "c"]


async def test_a_pause_that_grows_while_waiting(looptime: Any) -> None:
    """A second rejection during the pause extends it."""
    limiter = Limiter(_limit(8))
    done: list[str] = []
    limiter.overloaded(2)
    waiting = spawn(_work(limiter, "a", done, seconds=0), name="a")
    await asyncio.sleep(1)
    limiter.overloaded(4)
    await waiting

    assert looptime >= 5


async def test_cancelled_waiters_leave_the_queue(looptime: Any) -> None:
    """A cancelled request does not use a slot, even if it was just about to get one."""
    del looptime
    limiter = Limiter(_limit(1))
    done: list[str] = []
    await limiter.acquire("holder")
    first = spawn(_work(limiter, "a", done), name="first")
    second = spawn(_work(limiter, "a", done), name="second")
    third = spawn(_work(limiter, "b", done), name="third")
    await asyncio.sleep(0)
    await end(first)
    limiter.release("holder")  # the second one gets its slot at the time of its cancellation
    await end(second)
    await third

    assert done == ["b"]
    assert (limiter.used, limiter.waiting) == (0, 0)
