"""Let equal requests share one operation; each waiter keeps its own deadline. It knows nothing of Git."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from nopea.tasks import end, spawn

T = TypeVar("T")
# The operation itself ends at its deadline with a better reason than ours; this only lets it say so.
_GRACE_SECONDS = 0.5


@dataclass(slots=True)
class _Flight(Generic[T]):
    task: asyncio.Task[T]
    waiters: int = 0


class Flights(Generic[T]):
    """Operations on their way, by key."""

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight[T]] = {}
        self._cancelled: set[asyncio.Task[T]] = set()

    async def join(self, key: Hashable, begin: Callable[[], Coroutine[Any, Any, T]], *, deadline: float) -> T:
        """Return what the operation with this key returns, beginning it when none is on its way.

        Raises what it raises, and TimeoutError when the deadline (loop time) passes first. The operation is
        cancelled when its last waiter has gone.
        """
        flight = self._flights.get(key)
        begun = flight is None
        if flight is None:
            flight = _Flight(spawn(begin(), name=f"git flight {len(self._flights)}"))
            self._flights[key] = flight
            flight.task.add_done_callback(lambda task: self._landed(key, task))
        flight.waiters += 1
        try:
            async with asyncio.timeout_at(deadline + (_GRACE_SECONDS if begun else 0)):
                return await asyncio.shield(flight.task)
        finally:
            flight.waiters -= 1
            if not flight.waiters and not flight.task.done():
                self._flights.pop(key, None)
                self._cancelled.add(flight.task)
                flight.task.cancel()

    async def close(self) -> None:
        """Cancel everything that is on its way, and wait until all of it has ended."""
        flights = [*self._cancelled, *(flight.task for flight in self._flights.values())]
        self._flights.clear()
        await end(*flights)

    def _landed(self, key: Hashable, task: asyncio.Task[T]) -> None:
        if (flight := self._flights.get(key)) is not None and flight.task is task:
            del self._flights[key]
        self._cancelled.discard(task)
        if not task.cancelled():
            task.exception()  # marks it as seen: every waiter may have gone
