"""The supervisor restarts crashed actors independently of each other; in virtual time."""

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
    """A supervisor, a log of its actors, and the crashes that were reported."""

    def __init__(self) -> None:
        self.supervisor: Supervisor[str] = Supervisor(policy=POLICY, on_crash=self._on_crash)
        self.log: list[tuple[float, str]] = []
        self.crashes: list[Crash] = []
        self.fail_to_tell = False

    def note(self, what: str) -> None:
        """Record an event with the current time."""
        self.log.append((asyncio.get_running_loop().time(), what))

    def times(self, what: str) -> list[float]:
        """Return the times of an event."""
        return [at for at, happened in self.log if happened == what]

    def actor(
        self, name: str, *, lives: float = 0, error: Exception | None = None, last_words: float = 0
    ) -> Callable[[], Awaitable[None]]:
        """Return an actor that ends or crashes after `lives` seconds and cleans up for `last_words`."""

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


async def test_a_crashed_actor_is_restarted_with_backoff() -> None:
    """The pause doubles up to the maximum; the actor is stalled from the third crash on."""
    world = World()
    world.supervisor.start("a", world.actor("a", error=ValueError("no")))
    await asyncio.sleep(30)
    await world.supervisor.close(seconds=60)

    assert world.times("a starts") == [0, 1, 3, 7, 15, 23]
    assert [crash.count for crash in world.crashes] == [1, 2, 3, 4, 5, 6]
    assert [crash.stalled for crash in world.crashes] == [False, False, True, True, True, True]
    assert world.crashes[0].last_line == "ValueError: no"
    assert world.supervisor.restarts == 6


async def test_a_long_run_resets_the_backoff() -> None:
    """A crash after at least `calm_seconds` counts as the first one."""
    world = World()
    world.supervisor.start("a", world.actor("a", lives=100, error=ValueError()))
    await asyncio.sleep(450)
    await world.supervisor.close(seconds=60)

    assert world.times("a starts") == [0, 101, 202, 303, 404]
    assert {(crash.count, crash.stalled) for crash in world.crashes} == {(1, False)}


async def test_a_crash_does_not_affect_other_actors() -> None:
    """One actor crashes repeatedly while another one continues to run."""
    world = World()
    world.supervisor.start("bad", world.actor("bad", error=ValueError()))
    world.supervisor.start("good", world.actor("good", lives=1000))
    await asyncio.sleep(100)

    assert world.times("good starts") == [0]
    assert world.times("good ends") == []
    assert world.supervisor.running == 2
    await world.supervisor.close(seconds=60)


async def test_an_exception_group_is_reported_by_its_innermost_error() -> None:
    """The text `unhandled errors in a TaskGroup` does not say what failed."""
    world = World()
    group = ExceptionGroup("unhandled errors in a TaskGroup", [ExceptionGroup("x", [KeyError("web")])])
    world.supervisor.start("a", world.actor("a", error=group))
    await asyncio.sleep(0.5)
    await world.supervisor.close(seconds=60)

    assert world.crashes[0].last_line == "KeyError: 'web'"


async def test_an_actor_that_returns_is_not_restarted() -> None:
    """An actor that returns is no longer running; this is not a crash."""
    world = World()
    world.supervisor.start("a", world.actor("a", lives=1))
    await world.supervisor.finished()
    await asyncio.sleep(100)

    assert world.times("a starts") == [0]
    assert world.supervisor.running == 0
    assert world.crashes == []
    await world.supervisor.close(seconds=60)


async def test_a_failing_crash_callback_does_not_stop_the_restarts() -> None:
    """The actor is restarted even if the callback raises an error."""
    world = World()
    world.fail_to_tell = True
    world.supervisor.start("a", world.actor("a", error=ValueError()))
    await asyncio.sleep(5)
    await world.supervisor.close(seconds=60)

    assert world.times("a starts") == [0, 1, 3]


async def test_stopping_cancels_the_actor_and_forgets_it(looptime: Any) -> None:
    """`stop` returns at once; the actor cleans up in the background, and `close` waits for it."""
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
    """Two actors with the same key never run at the same time."""
    world = World()
    world.supervisor.start("a", world.actor("old", lives=1000, last_words=5))
    await asyncio.sleep(1)
    world.supervisor.start("a", world.actor("new", lives=1000))
    await asyncio.sleep(10)
    await world.supervisor.close(seconds=60)

    assert world.times("old ends") == world.times("new starts") == [6]


async def test_a_third_actor_waits_for_the_first() -> None:
    """If a key is started twice during the cleanup, only the last actor runs, after the cleanup."""
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


async def test_closing_waits_for_all_cleanups(looptime: Any) -> None:
    """`close` also waits for the cleanup of actors that were replaced or stopped earlier."""
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


async def test_a_crash_while_stopping_does_not_restart_the_actor() -> None:
    """A stopped actor is not restarted even if its cleanup fails."""
    world = World()
    world.supervisor.start("a", world.actor("a", lives=1000, last_words=5, error=ValueError()))
    await asyncio.sleep(1)
    world.supervisor.stop("a")
    await asyncio.sleep(100)

    assert world.times("a starts") == [0]
    assert world.crashes == []
    await world.supervisor.close(seconds=60)


async def test_stopping_ends_a_pause_before_a_restart(looptime: Any) -> None:
    """An actor that waits for its restart is stopped at once and not restarted."""
    world = World()
    world.supervisor.start("a", world.actor("a", error=ValueError()))
    await asyncio.sleep(4)
    world.supervisor.stop("a")
    await world.supervisor.close(seconds=60)
    assert looptime == 4

    await asyncio.sleep(100)
    assert world.times("a starts") == [0, 1, 3]


async def test_finishing_waits_for_running_actors_only(looptime: Any) -> None:
    """`finished` does not wait for an actor in backoff and does not restart it."""
    world = World()
    world.supervisor.start("bad", world.actor("bad", error=ValueError()))
    world.supervisor.start("good", world.actor("good", lives=5))
    await asyncio.sleep(4)

    await world.supervisor.finished()

    assert looptime == 5
    assert world.times("bad starts") == [0, 1, 3]
    await world.supervisor.close(seconds=60)


async def test_cancelling_finished_leaves_the_actors_running() -> None:
    """A deadline around `finished` ends only the wait; `close` ends the actors."""
    world = World()
    world.supervisor.start("a", world.actor("a", lives=1000))
    waiting = spawn(world.supervisor.finished(), name="waiting")
    await asyncio.sleep(1)
    await end(waiting)

    assert waiting.cancelled()
    assert world.supervisor.running == 1
    await world.supervisor.close(seconds=60)
    assert world.times("a ends") == [1]


async def test_closing_is_bounded(looptime: Any) -> None:
    """After the deadline the cleanup is cancelled again; an actor that ignores this too is left."""
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
