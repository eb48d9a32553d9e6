"""The adaptive limit of concurrent requests, and fairness between flows; in virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from nopea.kube.limiter import (
    MOST_PAUSE_SECONDS,
    PATIENCE_SECONDS,
    AdaptiveLimit,
    Bounds,
    Limiter,
    PausedError,
    Refusal,
    Refusals,
)
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


async def test_all_repositories_of_a_namespace_leave_slots_for_other_namespaces(looptime: Any) -> None:
    """A tenant with many repositories whose requests all hang does not take the slots of other tenants."""
    limiter = Limiter(_limit(32))
    done: list[str] = []
    hanging = [
        spawn(_work(limiter, f"mallory/{number}", done, seconds=1e6), name="hanging")
        for number in range(100)
        for _ in range(16)
    ]
    await asyncio.sleep(0.1)

    await asyncio.gather(*(_work(limiter, f"shop/{name}", done) for name in "abcdef"))

    assert len(done) == 6
    assert looptime == pytest.approx(1.1)
    await end(*hanging)


async def test_repositories_of_a_namespace_take_turns_with_other_namespaces(looptime: Any) -> None:
    """With 100 waiting repositories of one tenant, another tenant does not wait for all of them."""
    limiter = Limiter(_limit(1))
    done: list[str] = []
    many = [spawn(_work(limiter, f"mallory/{number}", done), name="many") for number in range(100)]
    await asyncio.sleep(0.5)

    await _work(limiter, "shop/web", done)

    assert looptime <= 3
    await end(*many)


def _refusal(flow: str, scope: str = "apps", *, after: float | None = 2.0, local: bool = False) -> Refusal:
    return Refusal(
        flow=flow,
        scope=scope,
        why="busy",
        retry_after_seconds=after,
        is_local=local,
        is_worth_waiting=not local,
    )


async def _seconds(limiter: Limiter, flow: str, *scopes: str) -> float:
    """Return how long a request waits for its slot."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with limiter.slot(flow, scopes):
        return loop.time() - begun


async def test_a_refusal_pauses_its_own_flow_and_group(looptime: Any) -> None:
    """Other repositories, and other groups of the same one, go on."""
    del looptime
    limiter = Limiter(_limit(8))
    limiter.refused(_refusal("shop/web", "metrics.example.com"))

    assert await _seconds(limiter, "shop/web", "", "/configmaps") == 0
    assert await _seconds(limiter, "shop/api", "metrics.example.com") == 0
    assert await _seconds(limiter, "shop/web", "metrics.example.com") == pytest.approx(2)
    assert limiter.limit.allowed == 8


async def test_a_long_pause_is_not_waited_for(looptime: Any) -> None:
    """The request fails with the server's message, so that the other objects are not held up."""
    limiter = Limiter(_limit(8))
    limiter.refused(_refusal("shop/web", after=PATIENCE_SECONDS + 1))

    with pytest.raises(PausedError, match="busy") as paused:
        await limiter.acquire("shop/web", ("apps",))

    assert paused.value.seconds == pytest.approx(PATIENCE_SECONDS + 1)
    await asyncio.sleep(1.5)
    assert await _seconds(limiter, "shop/web", "apps") == pytest.approx(PATIENCE_SECONDS - 0.5)
    assert looptime == pytest.approx(PATIENCE_SECONDS + 1)


async def test_a_kind_that_the_server_cannot_read_is_not_waited_for(looptime: Any) -> None:
    """Its conversion webhook is broken; other kinds of the group work, and it is no sign of overload."""
    limiter = Limiter(_limit(8))
    for flow in "abcd":
        for kind in ("a.example/gizmos", "b.example/widgets"):
            limiter.refused(_refusal(flow, kind, after=1, local=True))

    with pytest.raises(PausedError):
        await limiter.acquire("a", ("a.example", "a.example/gizmos"))
    assert await _seconds(limiter, "a", "a.example", "a.example/others") == 0
    assert limiter.limit.paused_until == 0
    await asyncio.sleep(1)
    assert await _seconds(limiter, "a", "a.example", "a.example/gizmos") == 0
    assert looptime == 1


async def test_a_refusal_of_many_flows_pauses_all(looptime: Any) -> None:
    """Three tenants in two groups are refused at the same time: the server itself is busy."""
    limiter = Limiter(_limit(10))
    limiter.refused(_refusal("", "nopea.io", after=3))
    limiter.refused(_refusal("shop/web", after=3))
    limiter.refused(_refusal("shop/db", after=3))
    assert limiter.limit.allowed == 10

    limiter.refused(_refusal("store/api", after=3))

    assert limiter.limit.allowed == 7
    assert await _seconds(limiter, "another/one", "batch") == pytest.approx(3)
    assert looptime == pytest.approx(3)


def test_refusals_of_one_group_or_at_different_times_say_nothing_about_the_server() -> None:
    """One broken API service is met by many repositories; what one tenant meets, its account may cause."""
    refusals = Refusals()
    assert not any(refusals.add(_refusal(f"shop/{number}", "a.example"), now=0.0) for number in range(10))
    assert not any(refusals.add(_refusal("shop/x", f"g{number}"), now=10.0) for number in range(10))
    assert not any(
        refusals.add(_refusal(f"shop/{n}", f"g{n}", after=None), now=20.0 + 2 * n) for n in range(9)
    )
    assert not any(refusals.add(_refusal(f"shop/{n}", f"g{n}"), now=50.0) for n in range(9))
    assert [refusals.add(_refusal(f"shop{n}/web", f"g{n}", after=None), now=90.0) for n in range(3)] == [
        False,
        False,
        True,
    ]


def test_old_refusals_are_forgotten() -> None:
    """Only what is refused now takes memory; a very long Retry-After is shortened."""
    refusals = Refusals()
    for number in range(100):
        refusals.add(_refusal(f"shop/{number}", after=1e9), now=0.0)
    with pytest.raises(PausedError) as paused:
        refusals.seconds_left("shop/1", ("apps",), now=0.0)
    assert paused.value.seconds == MOST_PAUSE_SECONDS

    refusals.add(_refusal("shop/web"), now=MOST_PAUSE_SECONDS + 1)

    assert len(refusals._pauses) == len(refusals._signs) == 1


async def test_a_pause_that_begins_in_the_queue(looptime: Any) -> None:
    """A request that waited for its slot waits for the pause of its flow too."""
    limiter = Limiter(_limit(1))
    done: list[str] = []
    holder = spawn(_work(limiter, "other", done), name="holder")
    await asyncio.sleep(0.5)
    waiting = spawn(_seconds(limiter, "shop/web", "apps"), name="waiting")
    await asyncio.sleep(0)
    assert limiter.waiting == 1

    limiter.refused(_refusal("shop/web", after=4))
    await asyncio.sleep(1)
    assert limiter.waiting == 1
    await asyncio.gather(holder, waiting)

    assert looptime == pytest.approx(4.5)
    assert (limiter.used, limiter.waiting) == (0, 0)


async def test_a_cancelled_request_ends_its_pause(looptime: Any) -> None:
    """It takes no slot later."""
    del looptime
    limiter = Limiter(_limit(1))
    limiter.refused(_refusal("a", after=4))
    waiting = spawn(_seconds(limiter, "a", "apps"), name="waiting")
    await asyncio.sleep(1)
    await end(waiting)

    assert (limiter.used, limiter.waiting) == (0, 0)
    assert await _seconds(limiter, "b", "apps") == 0


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
