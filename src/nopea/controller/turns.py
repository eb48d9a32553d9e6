"""How many repositories are synced at once, and whose turn is next.

One repository is finished before another is started: after a start with 1,000 repositories, half of them are
ready after half of the time, and memory holds the objects of a few. It decides nothing else about syncs.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from nopea.core.objects import RepoKey

AT_ONCE = 16
"""More make the API server no faster; fewer would leave it idle while Git is fetched."""

SPARE = 4
"""Further turns, for namespaces that have none: they do not wait until those of another one have expired."""

LONG_SECONDS = 5.0
"""A sync that takes longer no longer counts: a Git server that hangs holds up nobody else."""


@dataclass(eq=False, slots=True)
class _Turn:
    namespace: str
    arrival: int
    is_urgent: Callable[[], bool]
    begins: asyncio.Future[None]
    expires: asyncio.TimerHandle | None = None


class Turns:
    """Gives turns: first to the namespace with the fewest, within it to urgent syncs, then by arrival.

    A turn is waited for at most `LONG_SECONDS` for each `AT_ONCE` turns that come before it.
    """

    def __init__(self, *, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._arrivals = itertools.count()
        self._waiting: dict[str, dict[_Turn, None]] = {}
        """By namespace; none is empty."""
        self._running: dict[_Turn, None] = {}
        self._namespaces: Counter[str] = Counter()

    @property
    def waiting(self) -> int:
        """How many syncs wait for their turn."""
        return sum(map(len, self._waiting.values()))

    @asynccontextmanager
    async def turn(self, key: RepoKey, *, is_urgent: Callable[[], bool]) -> AsyncIterator[None]:
        """Wait for a turn and hold it while the context is open.

        `is_urgent` is asked whenever the next turn is given, so a sync can become urgent while it waits.
        """
        begins = asyncio.get_running_loop().create_future()
        turn = _Turn(key.namespace, next(self._arrivals), is_urgent, begins)
        self._waiting.setdefault(turn.namespace, {})[turn] = None
        self._give()
        try:
            await turn.begins
            yield
        finally:
            self._leave(turn)
            self._end(turn)

    def lift(self) -> None:
        """Begin every turn at once from now on: the process stops, and syncs end without a write."""
        self._at_once = sys.maxsize
        self._give()

    def _give(self) -> None:
        while self._waiting:
            fewest = min(self._namespaces[namespace] for namespace in self._waiting)
            if len(self._running) >= self._at_once + (0 if fewest else SPARE):
                return
            turn = self._next(fewest)
            self._leave(turn)
            if turn.begins.cancelled():
                continue
            self._running[turn] = None
            self._namespaces[turn.namespace] += 1
            turn.expires = asyncio.get_running_loop().call_later(LONG_SECONDS, self._end, turn)
            turn.begins.set_result(None)

    def _next(self, fewest: int) -> _Turn:
        """Return whose turn is next among the namespaces that have the fewest."""
        poorest = (turns for name, turns in self._waiting.items() if self._namespaces[name] == fewest)
        return min(itertools.chain(*poorest), key=lambda turn: (not turn.is_urgent(), turn.arrival))

    def _leave(self, turn: _Turn) -> None:
        turns = self._waiting.get(turn.namespace, {})
        turns.pop(turn, None)
        if not turns:
            self._waiting.pop(turn.namespace, None)

    def _end(self, turn: _Turn) -> None:
        if turn.expires is not None:
            turn.expires.cancel()
        if turn in self._running:
            del self._running[turn]
            self._namespaces -= Counter([turn.namespace])  # which forgets a namespace without a turn
            self._give()
