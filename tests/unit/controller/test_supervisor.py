"""one_for_one, in virtual time: who crashes comes back, who does not is not touched, and nobody is left."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from nopea.controller.supervisor import LAST_SECONDS, Crash, RestartPolicy, Supervisor
from nopea.tasks import end, spawn

pytestmark = pytest.mark.looptime
POLICY = RestartPolicy(first_seconds=1, most_seconds=8, stalled_after=3, calm_seconds=100)


class World:
    """A supervisor, what its actors did, and what was told about crashes."""

    def __init__(self) -> None:
        self.supervisor: Supervisor[str] = Supervisor(policy=POLICY, on_crash=self._on_crash)
        self.log: list[tuple[float, str]] = []
        self.crashes: list[Crash] = []
        self.fail_to_tell = False

    def note(self, what: str) -> None:
        """Remember that it happened now."""
        self.log.append((asyncio.get_running_loop().time(), what))

    def times(self, what: str) -> list[float]:
        """Return when it happened."""
        return [at for at, happened in self.log if happened == what]

    def actor(
        self, name: str, *, lives: float = 0, error: Exception | None = None, last_words: float = 0
    ) -> Callable[[], Awaitable[None]]:
        """Return an actor that lives so long, then ends or crashes; cancelled, it takes its time."""

        async def run() -> None:
            self.note(f"{name} starts")
            try:
                await asyncio.sleep(lives)
            except asyncio.CancelledError:
                await asyncio.sleep(last_words)
                if error is not None:
                    raise error from None
                raise
            finally:
                self.note(f"{name} ends")
            if error is not None:
                raise error

        return run

    async def _on_crash(self, key: str, crash: Crash) -> None:
        self.note(f"{key} told")
        self.crashes.append(crash)
        if self.fail_to_tell:
            raise RuntimeError("nobody listens")


async def test_a_crashed_actor_comes_back_after_growing_pauses() -> None:
    """1, 2, 4, 8 seconds, then the most; the count grows and turns to stalled."""
    world = World()
    world.supervisor.start("a", world.actor("a", error=ValueError("no")))
    await asyncio.sleep(30)
    await world.supervisor.close(seconds=60)

    assert world.times("a starts") == [0, 1, 3, 7, 15, 23]
    assert [crash.count for crash in world.crashes] == [1, 2, 3, 4, 5, 6]
    assert [crash.stalled for crash in world.crashes] == [False, False, True, True, True, True]
    assert world.crashes[0].last_line == "ValueError: no"
    assert world.supervisor.restarts == 6


async def test_a_long_calm_life_wipes_the_slate() -> None:
    """An actor that ran for `calm_seconds` starts with the first pause again and is not stalled."""
    world = World()
    world.supervisor.start("a", world.actor("a", lives=100, error=ValueError()))
    await asyncio.sleep(450)
    await world.supervisor.close(seconds=60)

    assert world.times("a starts") == [0, 101, 202, 303, 404]
    assert {(crash.count, crash.stalled) for crash in world.crashes} == {(1, False)}


async def test_one_crash_touches_nobody_else() -> None:
    """While one crashes again and again, its neighbour lives on undisturbed."""
    world = World()
    world.supervisor.start("bad", world.actor("bad", error=ValueError()))
    world.supervisor.start("good", world.actor("good", lives=1000))
    await asyncio.sleep(100)

    assert world.times("good starts") == [0]
    assert world.times("good ends") == []
    assert world.supervisor.running == 2
    await world.supervisor.close(seconds=60)


async def test_a_group_of_errors_is_told_by_its_innermost() -> None:
    """`unhandled errors in a TaskGroup` tells an operator nothing."""
    world = World()
    group = ExceptionGroup("unhandled errors in a TaskGroup", [ExceptionGroup("x", [KeyError("web")])])
    world.supervisor.start("a", world.actor("a", error=group))
    await asyncio.sleep(0.5)
    await world.supervisor.close(seconds=60)

    assert world.crashes[0].last_line == "KeyError: 'web'"


async def test_an_actor_that_ends_by_itself_is_not_restarted() -> None:
    """It was told to; the supervisor only notes that it runs no more."""
    world = World()
    world.supervisor.start("a", world.actor("a", lives=1))
    await world.supervisor.finished()
    await asyncio.sleep(100)

    assert world.times("a starts") == [0]
    assert world.supervisor.running == 0
    assert world.crashes == []
    await world.supervisor.close(seconds=60)


async def test_a_failure_to_tell_does_not_end_the_restarts() -> None:
    """Whoever reports crashes may crash too; the actor comes back all the same."""
    world = World()
    world.fail_to_tell = True
    world.supervisor.start("a", world.actor("a", error=ValueError()))
    await asyncio.sleep(5)
    await world.supervisor.close(seconds=60)

    assert world.times("a starts") == [0, 1, 3]


async def test_stopping_ends_the_actor_and_forgets_it(looptime: Any) -> None:
    """At once for the caller; the clean-up goes on and is waited for by `close`."""
    world = World()
    world.supervisor.start("a", world.actor("a", lives=1000, last_words=5))
    await asyncio.sleep(1)
    world.supervisor.stop("a")
    assert "a" not in world.supervisor
    assert len(world.supervisor) == 0

    await world.supervisor.close(seconds=60)

    assert world.times("a ends") == [6]
    assert looptime == 6
    assert world.crashes == []


async def test_a_new_actor_waits_for_the_old_one_of_its_key() -> None:
    """There is never a moment with two actors of one repository."""
    world = World()
    world.supervisor.start("a", world.actor("old", lives=1000, last_words=5))
    await asyncio.sleep(1)
    world.supervisor.start("a", world.actor("new", lives=1000))
    await asyncio.sleep(10)
    await world.supervisor.close(seconds=60)

    assert world.times("old ends") == world.times("new starts") == [6]


async def test_not_even_the_third_actor_meets_the_first() -> None:
    """Deleted and made again twice while the first still cleans up: the middle one never runs."""
    world = World()
    world.supervisor.start("a", world.actor("first", lives=1000, last_words=5))
    await asyncio.sleep(1)
    world.supervisor.start("a", world.actor("second", lives=1000))
    await asyncio.sleep(1)
    world.supervisor.start("a", world.actor("third", lives=1000))
    await asyncio.sleep(10)

    assert world.times("first ends") == world.times("third starts") == [6]
    assert world.times("second starts") == []
    await world.supervisor.close(seconds=60)


async def test_closing_waits_for_all_that_still_clean_up(looptime: Any) -> None:
    """Those that were stopped one after another as well."""
    world = World()
    world.supervisor.start("a", world.actor("first", lives=1000, last_words=5))
    await asyncio.sleep(1)
    world.supervisor.start("a", world.actor("second", lives=1000))
    await asyncio.sleep(1)
    world.supervisor.stop("a")
    await asyncio.sleep(1)
    await world.supervisor.close(seconds=60)

    assert looptime == 6
    assert world.times("first ends") == [6]


async def test_a_crash_while_ending_is_no_reason_to_come_back() -> None:
    """A stopped actor stays stopped, even when cleaning up fails: its repository is gone."""
    world = World()
    world.supervisor.start("a", world.actor("a", lives=1000, last_words=5, error=ValueError()))
    await asyncio.sleep(1)
    world.supervisor.stop("a")
    await asyncio.sleep(100)

    assert world.times("a starts") == [0]
    assert world.crashes == []
    await world.supervisor.close(seconds=60)


async def test_stopping_ends_a_pause_before_a_restart(looptime: Any) -> None:
    """Nobody comes back after it was stopped, and nobody is waited for who only rests."""
    world = World()
    world.supervisor.start("a", world.actor("a", error=ValueError()))
    await asyncio.sleep(4)
    world.supervisor.stop("a")
    await world.supervisor.close(seconds=60)
    assert looptime == 4

    await asyncio.sleep(100)
    assert world.times("a starts") == [0, 1, 3]


async def test_finishing_waits_for_work_and_not_for_pauses(looptime: Any) -> None:
    """At the end of the process a crashed actor is not restarted, and its backoff holds up nobody."""
    world = World()
    world.supervisor.start("bad", world.actor("bad", error=ValueError()))
    world.supervisor.start("good", world.actor("good", lives=5))
    await asyncio.sleep(4)

    await world.supervisor.finished()

    assert looptime == 5
    assert world.times("bad starts") == [0, 1, 3]
    await world.supervisor.close(seconds=60)


async def test_cancelling_the_wait_passes_and_leaves_the_actors() -> None:
    """A deadline around `finished` ends the waiting; `close` ends the actors."""
    world = World()
    world.supervisor.start("a", world.actor("a", lives=1000))
    waiting = spawn(world.supervisor.finished(), name="waiting")
    await asyncio.sleep(1)
    await end(waiting)

    assert waiting.cancelled()
    assert world.supervisor.running == 1
    await world.supervisor.close(seconds=60)
    assert world.times("a ends") == [1]


async def test_closing_cuts_off_what_cleans_up_for_too_long(looptime: Any) -> None:
    """The drain has an end: a second cancellation ends the cleanup, and what ignores both is left."""
    world = World()
    ignored: list[float] = []

    async def deaf() -> None:
        while True:
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                ignored.append(asyncio.get_running_loop().time())
                if len(ignored) > 2:
                    raise

    world.supervisor.start("slow", world.actor("slow", lives=1000, last_words=300))
    world.supervisor.start("deaf", deaf)
    await asyncio.sleep(1)

    await world.supervisor.close(seconds=2)

    assert looptime == 1 + 2 + LAST_SECONDS
    assert ignored == [1, 3]
    (left,) = [task for task in asyncio.all_tasks() if task.get_name() == "worker deaf"]
    await end(left)
