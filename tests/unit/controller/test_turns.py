"""Turns in virtual time: how many at once, whose is next, and that nobody waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from nopea.controller.turns import LONG_SECONDS, SPARE, Turns
from nopea.core.objects import RepoKey
from nopea.tasks import end, spawn

pytestmark = pytest.mark.looptime


class Syncs:
    """Syncs of a second each, with the order in which they began and the most that ran at once."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.began: list[str] = []
        self.running = 0
        self.most = 0

    async def run(self, name: str, *, is_urgent: Callable[[], bool], seconds: float = 1.0) -> None:
        """Wait for a turn of `namespace/name` and hold it."""
        async with self.turns.turn(RepoKey(*name.split("/")), is_urgent=is_urgent):
            self.began.append(name)
            self.running += 1
            self.most = max(self.most, self.running)
            await asyncio.sleep(seconds)
            self.running -= 1


def never() -> bool:
    """Say that the sync is not urgent."""
    return False


@asynccontextmanager
async def waiting(syncs: Syncs, *names: str, **seconds: float) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Start syncs in this order; `seconds` are for names whose sync takes another time than a second."""
    tasks = []
    for name in names:
        takes = seconds.get(name.partition("/")[2], 1.0)
        tasks.append(spawn(syncs.run(name, is_urgent=never, seconds=takes), name=name))
        await asyncio.sleep(0)
    try:
        yield tasks
    finally:
        await end(*tasks)


async def test_at_most_so_many_run_at_once_in_order_of_arrival() -> None:
    """One is finished before another begins, and the turns are used up fully."""
    syncs = Syncs(Turns(at_once=2))
    names = [f"shop/r{number}" for number in range(6)]
    async with waiting(syncs, *names):
        await asyncio.sleep(3.5)

    assert syncs.began == names
    assert syncs.most == 2
    assert (syncs.running, syncs.turns.waiting) == (0, 0)


async def test_a_sync_that_becomes_urgent_while_it_waits_is_next() -> None:
    """A push during a mass start does not wait for all repositories before it."""
    syncs = Syncs(Turns(at_once=1))
    pushed = False
    async with waiting(syncs, "shop/a", "shop/b", "shop/c"):
        urgent = spawn(syncs.run("shop/urgent", is_urgent=lambda: pushed), name="urgent")
        await asyncio.sleep(0.5)
        pushed = True
        await asyncio.sleep(4)
        await end(urgent)

    assert syncs.began == ["shop/a", "shop/urgent", "shop/b", "shop/c"]


async def test_a_namespace_with_many_does_not_hold_up_another() -> None:
    """Even if all syncs of the large namespace are urgent."""
    syncs = Syncs(Turns(at_once=2))
    many = [spawn(syncs.run(f"big/r{n}", is_urgent=lambda: True), name=f"r{n}") for n in range(8)]
    await asyncio.sleep(0)
    async with waiting(syncs, "small/a", "small/b"):
        await asyncio.sleep(3.5)
        await end(*many)

    assert syncs.began[:4] == ["big/r0", "big/r1", "small/a", "small/b"]


async def test_a_sync_that_hangs_holds_up_nobody() -> None:
    """Its turn stops counting, though it goes on."""
    syncs = Syncs(Turns(at_once=1))
    async with waiting(syncs, "shop/hangs", "shop/b", "shop/c", hangs=1000.0):
        await asyncio.sleep(LONG_SECONDS - 0.5)
        assert syncs.began == ["shop/hangs"]
        await asyncio.sleep(2)

        assert syncs.began == ["shop/hangs", "shop/b", "shop/c"]
        assert syncs.most == 2


async def test_urgency_is_asked_only_when_a_turn_is_free() -> None:
    """A thousand syncs that begin to wait do not ask each other."""
    syncs, asked = Syncs(Turns(at_once=1)), 0

    def ask() -> bool:
        nonlocal asked
        asked += 1
        return False

    async with waiting(syncs, "shop/a"):
        others = [spawn(syncs.run(f"shop/r{number}", is_urgent=ask), name="other") for number in range(100)]
        await asyncio.sleep(0.5)
        assert asked == 0
        await asyncio.sleep(1)
        assert asked == 100
        await end(*others)


async def test_a_cancelled_sync_gives_its_turn_back() -> None:
    """Whether it waits, holds its turn, or was given one at that moment."""
    syncs = Syncs(Turns(at_once=1))
    async with waiting(syncs, "shop/a", "shop/b", "shop/c", "shop/d", "shop/e") as (a, b, c, _, _):
        b.cancel()
        await asyncio.sleep(0.5)
        a.cancel()
        asyncio.get_running_loop().call_soon(c.cancel)  # c has its turn and is not awake yet
        await asyncio.sleep(2.5)

    assert syncs.began == ["shop/a", "shop/d", "shop/e"]
    assert syncs.turns.waiting == 0


async def test_all_turns_begin_when_the_limit_is_lifted() -> None:
    """At the end of the process, nobody waits for a turn only to stop."""
    syncs = Syncs(Turns(at_once=1))
    async with waiting(syncs, "shop/a", "shop/b", "shop/c"):
        syncs.turns.lift()
        await asyncio.sleep(0.1)
        assert syncs.running == 3


async def test_an_error_ends_the_turn_and_passes() -> None:
    """The next one begins."""
    turns = Turns(at_once=1)
    with pytest.raises(RuntimeError):
        async with turns.turn(RepoKey("shop", "a"), is_urgent=never):
            raise RuntimeError
    async with asyncio.timeout(0.1), turns.turn(RepoKey("shop", "b"), is_urgent=never):
        assert turns.waiting == 0


async def test_a_namespace_without_a_turn_does_not_wait_for_one_that_has_all() -> None:
    """Servers that hang take every turn for five seconds; a few namespaces more begin at once."""
    syncs = Syncs(Turns(at_once=2))
    names = [f"mallory/r{number}" for number in range(4)]
    others = [f"n{number}/app" for number in range(SPARE + 1)]
    async with waiting(syncs, *names, *others, **dict.fromkeys([f"r{number}" for number in range(4)], 60.0)):
        await asyncio.sleep(0.5)
        assert syncs.began == [*names[:2], *others[:SPARE]]
        await asyncio.sleep(1)
        assert syncs.began == [*names[:2], *others]
