"""Limit the requests in flight, and queue the callers. This module knows nothing of HTTP.

`AdaptiveLimit` decides from the server's answers; `Limiter` makes callers wait, with one queue per flow.
There is no fixed rate: the API server answers 429 when it cannot take more.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

MOST_PAUSE_SECONDS = 120.0
"""A longer `Retry-After` is cut: a broken server must not stop Nopea for a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The range of the limit on requests in flight, and its start value."""

    least: int = 4
    most: int = 64
    start: int = 32


@dataclass(slots=True)
class AdaptiveLimit:
    """Additive increase, multiplicative decrease (as TCP's RFC 5681), and the server's pauses.

    Times are seconds on one monotonic clock. One overload fails many requests at about the same time, so the
    limit shrinks at most once in `cooldown_seconds`.
    """

    bounds: Bounds = field(default=Bounds())
    shrink: float = 0.7
    cooldown_seconds: float = 1.0
    paused_until: float = 0.0
    _size: float = 0.0
    _shrunk_at: float = float("-inf")

    def __post_init__(self) -> None:
        self._size = float(self.bounds.start)

    @property
    def allowed(self) -> int:
        """The number of requests that may be in flight."""
        return int(self._size)

    def went_well(self, *, used: int) -> None:
        """Count an answer; a limit that is fully used grows by about one per round of answers."""
        if used >= self.allowed:
            self._size = min(float(self.bounds.most), self._size + 1 / self._size)

    def overloaded(self, *, now: float, retry_after_seconds: float | None) -> None:
        """Count a refusal: shrink the limit, and start no request before the server's time has passed."""
        if retry_after_seconds is not None:
            until = now + min(max(retry_after_seconds, 0.0), MOST_PAUSE_SECONDS)
            self.paused_until = max(self.paused_until, until)
        if now - self._shrunk_at >= self.cooldown_seconds:
            self._size = max(float(self.bounds.least), self._size * self.shrink)
            self._shrunk_at = now


def _now() -> float:
    return asyncio.get_running_loop().time()


class Limiter:
    """Slots for requests: first come first served within a flow, round robin between flows.

    A flow may hold half of the slots that the others leave, at least one. So a new flow gets a slot while
    10,000 objects of another wait, or while all requests of another hang. The queues hold callers, so the
    number of tasks bounds them.
    """

    def __init__(self, limit: AdaptiveLimit | None = None) -> None:
        self.limit = limit or AdaptiveLimit()
        self._held: Counter[str] = Counter()
        self._used = 0
        self._queues: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._wake: asyncio.TimerHandle | None = None

    @property
    def used(self) -> int:
        """The number of slots in use."""
        return self._used

    @property
    def waiting(self) -> int:
        """The number of callers that wait for a slot."""
        return sum(len(queue) for queue in self._queues.values())

    @asynccontextmanager
    async def slot(self, flow: str) -> AsyncIterator[None]:
        """Wait for a slot of `flow` and hold it while the block runs; cancellation returns it."""
        await self.acquire(flow)
        try:
            yield
        finally:
            self.release(flow)

    async def acquire(self, flow: str) -> None:
        """Wait for a slot, which the caller must `release`."""
        if not self._queues and self._may_start(flow, _now()):
            self._take(flow)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(flow, deque()).append(turn)
        self._give_out()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # granted at the same moment: pass it on
                self.release(flow)
            else:
                self._leave(flow, turn)
            raise

    def release(self, flow: str) -> None:
        """Return a slot."""
        self._used -= 1
        self._held[flow] -= 1
        if not self._held[flow]:
            del self._held[flow]
        self._give_out()

    def went_well(self) -> None:
        """Note that the server answered in time."""
        self.limit.went_well(used=self._used)

    def overloaded(self, retry_after_seconds: float | None) -> None:
        """Note that the server is overloaded; no request starts before `retry_after_seconds` have passed."""
        self.limit.overloaded(now=_now(), retry_after_seconds=retry_after_seconds)

    def close(self) -> None:
        """Cancel the timer that would end a pause; the owners of waiting tasks cancel them."""
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None

    def _may_start(self, flow: str, now: float) -> bool:
        if now < self.limit.paused_until or self._used >= self.limit.allowed:
            return False
        held = self._held.get(flow, 0)
        left_by_others = self.limit.allowed - (self._used - held)
        return held < max(1, left_by_others // 2)

    def _take(self, flow: str) -> None:
        self._used += 1
        self._held[flow] += 1

    def _leave(self, flow: str, turn: asyncio.Future[None]) -> None:
        queue = self._queues.get(flow)
        if queue is not None and turn in queue:
            queue.remove(turn)
            if not queue:
                del self._queues[flow]

    def _give_out(self) -> None:
        """Grant the free slots in turn, or set the timer that ends a pause."""
        now = _now()
        if now < self.limit.paused_until:
            self._wake_at(self.limit.paused_until)
            return
        while self._used < self.limit.allowed:
            flow = next((flow for flow in self._queues if self._may_start(flow, now)), None)
            if flow is None:
                return
            self._grant(flow)

    def _grant(self, flow: str) -> None:
        queue = self._queues.pop(flow)
        turn = queue.popleft()
        if queue:
            self._queues[flow] = queue  # at the end: the other flows are next
        if not turn.done():
            self._take(flow)
            turn.set_result(None)

    def _wake_at(self, when: float) -> None:
        if self._wake is None and self._queues:
            delay = max(0.0, when - _now())
            self._wake = asyncio.get_running_loop().call_later(delay, self._woken)

    def _woken(self) -> None:
        self._wake = None
        self._give_out()
