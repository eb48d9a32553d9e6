"""How many requests may be under way, and whose turn it is. Knows nothing of HTTP.

`AdaptiveLimit` decides from what the server answers; `Limiter` makes callers wait, one queue for each flow.
There is no fixed rate: the API server knows best how much it can take, and says so with 429.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

MOST_PAUSE_SECONDS = 120.0
"""A `Retry-After` longer than this is cut: a lying server must not stop Nopea for a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Between how many requests under way the limit moves, and where it starts."""

    least: int = 4
    most: int = 64
    start: int = 32


@dataclass(slots=True)
class AdaptiveLimit:
    """Additive increase, multiplicative decrease (as TCP's RFC 5681), and pauses as the server asks.

    Times are seconds on any one monotonic clock. All waiters hear of one overload at about the same time,
    so the limit shrinks at most once in `cooldown_seconds`.
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
        """How many requests may be under way."""
        return int(self._size)

    def went_well(self, *, used: int) -> None:
        """Count an answer; the limit grows by about one per round of answers while it is what holds back."""
        if used >= self.allowed:
            self._size = min(float(self.bounds.most), self._size + 1 / self._size)

    def overloaded(self, *, now: float, retry_after_seconds: float | None) -> None:
        """Count a refusal: fewer requests from now on, and none before the server's time has passed."""
        if retry_after_seconds is not None:
            until = now + min(max(retry_after_seconds, 0.0), MOST_PAUSE_SECONDS)
            self.paused_until = max(self.paused_until, until)
        if now - self._shrunk_at >= self.cooldown_seconds:
            self._size = max(float(self.bounds.least), self._size * self.shrink)
            self._shrunk_at = now


def _now() -> float:
    return asyncio.get_running_loop().time()


class Limiter:
    """Slots for requests, given out in turn: first come first served in a flow, round robin between flows.

    A flow may hold half of what the others leave, at least one slot: so there is room for a newcomer while
    10,000 objects of one repository wait, and while every request of another hangs. The queues hold callers,
    not requests, so they are bounded by what the callers start.
    """

    def __init__(self, limit: AdaptiveLimit | None = None) -> None:
        self.limit = limit or AdaptiveLimit()
        self._held: Counter[str] = Counter()
        self._used = 0
        self._queues: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._wake: asyncio.TimerHandle | None = None

    @property
    def used(self) -> int:
        """How many slots are held."""
        return self._used

    @property
    def waiting(self) -> int:
        """How many callers wait for one."""
        return sum(len(queue) for queue in self._queues.values())

    @asynccontextmanager
    async def slot(self, flow: str) -> AsyncIterator[None]:
        """Hold a slot of `flow` while the block runs; waits for one. Cancellation gives it back."""
        await self.acquire(flow)
        try:
            yield
        finally:
            self.release(flow)

    async def acquire(self, flow: str) -> None:
        """Wait for a slot; the caller must `release` it."""
        if not self._queues and self._may_start(flow, _now()):
            self._take(flow)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(flow, deque()).append(turn)
        self._give_out()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # given in the same moment: pass it on
                self.release(flow)
            else:
                self._leave(flow, turn)
            raise

    def release(self, flow: str) -> None:
        """Give a slot back."""
        self._used -= 1
        self._held[flow] -= 1
        if not self._held[flow]:
            del self._held[flow]
        self._give_out()

    def went_well(self) -> None:
        """Tell that the server answered in time."""
        self.limit.went_well(used=self._used)

    def overloaded(self, retry_after_seconds: float | None) -> None:
        """Tell that the server refused for load; nothing starts before `retry_after_seconds` have passed."""
        self.limit.overloaded(now=_now(), retry_after_seconds=retry_after_seconds)

    def close(self) -> None:
        """Forget the timer that would end a pause; waiters are their owners' to cancel."""
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
        """Give free slots to those whose turn it is, and see to it that a pause ends."""
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
            self._queues[flow] = queue  # at the end: the other flows come first
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
