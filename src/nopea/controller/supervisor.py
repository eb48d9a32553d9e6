"""one_for_one: runs one actor per key, restarts the one that crashes with backoff, and touches no other.

It decides nothing about repositories; it knows keys, actors and crashes.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Generic, TypeVar

from nopea import log_events, tasks
from nopea.core.duration import backoff_seconds
from nopea.logs import Log

K = TypeVar("K")
log = Log(__name__)

LAST_SECONDS = 0.5
"""What an actor gets after its second cancellation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartPolicy:
    """How a crashing actor is restarted; an actor that ran for `calm_seconds` counts as healthy again."""

    first_seconds: float = 1.0
    most_seconds: float = 300.0
    stalled_after: int = 5
    calm_seconds: float = 600.0

    def delay(self, crashes: int) -> float:
        """Return the wait before the restart after that many crashes in a row (≥ 1)."""
        return backoff_seconds(crashes, first=self.first_seconds, most=self.most_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """An actor's end by exception: how many in a row, and the last line of the traceback."""

    count: int
    stalled: bool
    last_line: str


class Supervisor(Generic[K]):
    """Owns one task per key. `on_crash` is awaited after each crash; an error in it is only logged."""

    def __init__(self, *, policy: RestartPolicy, on_crash: Callable[[K, Crash], Awaitable[None]]) -> None:
        self._policy = policy
        self._on_crash = on_crash
        self._actors: dict[K, asyncio.Task[None]] = {}
        self._ending: dict[K, set[asyncio.Task[None]]] = {}
        self._finishing = asyncio.Event()
        self.restarts = 0

    def __contains__(self, key: K) -> bool:
        return key in self._actors

    def __len__(self) -> int:
        return len(self._actors)

    def start(self, key: K, run: Callable[[], Awaitable[None]]) -> None:
        """Start the key's actor; it waits until all earlier ones of the same key have ended."""
        self.stop(key)
        before = frozenset(self._ending.get(key, ()))
        self._actors[key] = tasks.spawn(self._keep_running(key, run, before), name=f"worker {key}")

    def stop(self, key: K) -> None:
        """Tell the key's actor to end; returns at once, the supervisor owns the rest of its life."""
        actor = self._actors.pop(key, None)
        if actor is not None:
            actor.cancel()
            self._ending.setdefault(key, set()).add(actor)
            actor.add_done_callback(lambda ended: self._forget(key, ended))

    @property
    def running(self) -> int:
        """How many actors are running or waiting for a restart."""
        return sum(1 for actor in self._actors.values() if not actor.done())

    async def finished(self) -> None:
        """Return when every actor has ended; it does not tell them to, but restarts none from now on."""
        self._finishing.set()
        if self._actors:
            await asyncio.wait(list(self._actors.values()))

    async def close(self, *, seconds: float) -> None:
        """End every actor: cancel it, and cancel it again after `seconds`, which cuts off its cleanup.

        Returns at the latest `LAST_SECONDS` after that; an actor that ignores both is logged and left.
        """
        for key in list(self._actors):
            self.stop(key)
        ending = {actor: key for key, actors in self._ending.items() for actor in actors}
        left = await _still_running(ending, seconds=seconds)
        for actor in left:
            actor.cancel()
        for actor in await _still_running(left, seconds=LAST_SECONDS):
            log.write(log_events.worker_does_not_end, repo=ending[actor])

    def _forget(self, key: K, ended: asyncio.Task[None]) -> None:
        ending = self._ending[key]
        ending.discard(ended)
        if not ending:
            del self._ending[key]

    async def _keep_running(
        self, key: K, run: Callable[[], Awaitable[None]], before: frozenset[asyncio.Task[None]]
    ) -> None:
        if before:
            await asyncio.wait(before)
        loop = asyncio.get_running_loop()
        crashes = 0
        while True:
            started = loop.time()
            try:
                await run()
            except Exception as error:  # noqa: BLE001 - the supervisor: a bug in one actor must not touch another
                if _told_to_end():
                    log.crash(log_events.worker_crashed_while_stopping, error, repo=key)
                    return
                calm = loop.time() - started >= self._policy.calm_seconds
                crashes = 1 if calm else crashes + 1
                delay = self._policy.delay(crashes)
                last_line = traceback.format_exception_only(_innermost(error))[-1].strip()
                log.crash(log_events.worker_crashed, error, repo=key, crashes=crashes, restart_in=delay)
            else:
                return
            self.restarts += 1
            stalled = crashes >= self._policy.stalled_after
            await self._tell(key, Crash(count=crashes, stalled=stalled, last_line=last_line))
            if await self._finishing_within(delay):
                return

    async def _tell(self, key: K, crash: Crash) -> None:
        try:
            await self._on_crash(key, crash)
        except Exception as error:  # noqa: BLE001 - else the actor would never be restarted
            log.crash(log_events.crash_not_reported, error, repo=key)

    async def _finishing_within(self, seconds: float) -> bool:
        """Wait before a restart; True when there will be none because the supervisor stops."""
        try:
            async with asyncio.timeout(seconds):
                return await self._finishing.wait()
        except TimeoutError:
            return False


async def _still_running(
    actors: Collection[asyncio.Task[None]], *, seconds: float
) -> set[asyncio.Task[None]]:
    if not actors:
        return set()
    _, pending = await asyncio.wait(actors, timeout=seconds)
    return pending


def _told_to_end() -> bool:
    """Return whether the task was cancelled, even if its cleanup raised another error."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _innermost(error: Exception) -> BaseException:
    """Look into groups: `unhandled errors in a TaskGroup` tells an operator nothing."""
    inner: BaseException = error
    while isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
    return inner
