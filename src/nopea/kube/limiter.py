"""Limit the requests in flight, and queue the callers. This module knows nothing of HTTP.

`AdaptiveLimit` decides from the server's answers; `Limiter` makes callers wait, with one queue per flow.
There is no fixed rate: the API server answers 429 when it cannot take more.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

MOST_PAUSE_SECONDS = 120.0
"""A longer `Retry-After` is cut: a broken server must not stop Nopea for a day."""

PATIENCE_SECONDS = 5.0
"""A request waits that long for the end of its flow's pause; otherwise it fails at once."""

MANY_TENANTS = 3
MANY_GROUPS = 2
"""So many tenants, in so many API groups, must be refused at once for the whole server to be busy."""

_SIGN_SECONDS = 1.0

Flow: TypeAlias = str
"""Who sends: a repository as `namespace/name`, or an empty text for Nopea itself."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The server, or a service behind it, cannot take a request now.

    `scope` is what the refusal is about: an API group, or a kind as `group/plural`. `is_local` says that it
    tells nothing about other kinds. Requests wait for the end of the pause if that `is_worth_waiting`.
    """

    flow: Flow
    scope: str
    why: str = ""
    retry_after_seconds: float | None = None
    is_local: bool = False
    is_worth_waiting: bool = True


class PausedError(Exception):
    """The server has asked this flow to wait for `seconds` more; `why` is its message."""

    def __init__(self, why: str, seconds: float) -> None:
        super().__init__(why)
        self.why, self.seconds = why, seconds


@dataclass(frozen=True, slots=True)
class _Pause:
    until: float
    refusal: Refusal


class Refusals:
    """The recent refusals: which requests wait for the end of a pause, and whether all must.

    Bounded by the flows and kinds that are refused at the same time.
    """

    def __init__(self) -> None:
        self._pauses: dict[tuple[Flow, str], _Pause] = {}
        self._signs: dict[tuple[Flow, str], float] = {}

    def add(self, refusal: Refusal, *, now: float) -> bool:
        """Pause what was refused; return whether so much is refused that the whole server must be busy."""
        at = refusal.flow, refusal.scope
        self._pauses = {key: pause for key, pause in self._pauses.items() if pause.until > now}
        self._signs = {key: until for key, until in self._signs.items() if until > now}
        seconds = refusal.retry_after_seconds
        if seconds is not None:
            until = now + min(max(seconds, 0.0), MOST_PAUSE_SECONDS)
            if at not in self._pauses or self._pauses[at].until < until:
                self._pauses[at] = _Pause(until, refusal)
        if refusal.is_local:
            return False
        self._signs[at] = now + max(_SIGN_SECONDS, min(seconds or 0.0, MOST_PAUSE_SECONDS))
        tenants, groups = {_tenant(flow) for flow, _ in self._signs}, {scope for _, scope in self._signs}
        return len(tenants) >= MANY_TENANTS and len(groups) >= MANY_GROUPS

    def seconds_left(self, flow: Flow, scopes: tuple[str, ...], *, now: float) -> float:
        """Return how long a request must wait; raise PausedError when that is not worth it."""
        left = 0.0
        for pause in self._of(flow, scopes):
            left = max(left, pause.until - now)
            if left > (PATIENCE_SECONDS if pause.refusal.is_worth_waiting else 0.0):
                raise PausedError(pause.refusal.why, left)
        return left

    def _of(self, flow: Flow, scopes: tuple[str, ...]) -> Iterator[_Pause]:
        if self._pauses:
            for scope in scopes:
                pause = self._pauses.get((flow, scope))
                if pause is not None:
                    yield pause


def _now() -> float:
    return asyncio.get_running_loop().time()


def _tenant(flow: Flow) -> str:
    return flow.partition("/")[0]


class Limiter:
    """Slots for requests: first come first served within a flow, round robin between tenants and their flows.

    A tenant is the namespace of a flow. It may hold three quarters of the slots that other tenants leave, and
    a flow two thirds of what its tenant's other flows leave of that; each may hold one. So a tenant gets a
    slot while all requests of another's repositories hang, and a flow while 10,000 objects of another wait.
    The queues hold callers, so the number of tasks bounds them.
    """

    def __init__(self, limit: AdaptiveLimit | None = None) -> None:
        self.limit = limit or AdaptiveLimit()
        self._refusals = Refusals()
        self._held: Counter[Flow] = Counter()
        self._held_by_tenant: Counter[str] = Counter()
        self._used = 0
        self._paused = 0
        self._queues: OrderedDict[str, OrderedDict[Flow, deque[asyncio.Future[None]]]] = OrderedDict()
        self._wake: asyncio.TimerHandle | None = None

    @property
    def used(self) -> int:
        """The number of slots in use."""
        return self._used

    @property
    def waiting(self) -> int:
        """The number of callers that wait for a slot, or for the end of their flow's pause."""
        return self._paused + sum(len(queue) for flows in self._queues.values() for queue in flows.values())

    @asynccontextmanager
    async def slot(self, flow: Flow, scopes: tuple[str, ...] = ()) -> AsyncIterator[None]:
        """Wait for a slot of `flow` and hold it while the block runs; cancellation returns it.

        `scopes` are those of refusals that concern the request. Raises PausedError.
        """
        await self.acquire(flow, scopes)
        try:
            yield
        finally:
            self.release(flow)

    async def acquire(self, flow: Flow, scopes: tuple[str, ...] = ()) -> None:
        """Wait for a slot, which the caller must `release`. Raises PausedError."""
        while True:
            while seconds := self._refusals.seconds_left(flow, scopes, now=_now()):
                await self._pause(seconds)
            await self._queue(flow)
            try:
                if not self._refusals.seconds_left(flow, scopes, now=_now()):
                    return
            except PausedError:
                self.release(flow)
                raise
            self.release(flow)  # it was refused to another request in the meantime

    def release(self, flow: Flow) -> None:
        """Return a slot."""
        self._used -= 1
        for held, name in ((self._held, flow), (self._held_by_tenant, _tenant(flow))):
            held[name] -= 1
            if not held[name]:
                del held[name]
        self._give_out()

    def went_well(self) -> None:
        """Note that the server answered in time."""
        self.limit.went_well(used=self._used)

    def refused(self, refusal: Refusal) -> None:
        """Note a refusal: its flow pauses; all flows do only if many of them are refused at the same time."""
        if self._refusals.add(refusal, now=_now()):
            self.limit.overloaded(now=_now(), retry_after_seconds=refusal.retry_after_seconds)

    def close(self) -> None:
        """Cancel the timer that would end a pause; the owners of waiting tasks cancel them."""
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None

    async def _pause(self, seconds: float) -> None:
        self._paused += 1
        try:
            await asyncio.sleep(seconds)
        finally:
            self._paused -= 1

    async def _queue(self, flow: Flow) -> None:
        if not self._queues and self._may_start(flow, _now()):
            self._take(flow)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(_tenant(flow), OrderedDict()).setdefault(flow, deque()).append(turn)
        self._give_out()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # granted at the same moment: pass it on
                self.release(flow)
            else:
                self._leave(flow, turn)
            raise

    def _may_start(self, flow: Flow, now: float) -> bool:
        if now < self.limit.paused_until or self._used >= self.limit.allowed:
            return False
        ours, held = self._held_by_tenant.get(_tenant(flow), 0), self._held.get(flow, 0)
        room = max(1, (self.limit.allowed - (self._used - ours)) * 3 // 4)
        return ours < room and held < max(1, (room - (ours - held)) * 2 // 3)

    def _take(self, flow: Flow) -> None:
        self._used += 1
        self._held[flow] += 1
        self._held_by_tenant[_tenant(flow)] += 1

    def _leave(self, flow: Flow, turn: asyncio.Future[None]) -> None:
        flows = self._queues.get(_tenant(flow), OrderedDict())
        queue = flows.get(flow)
        if queue is not None and turn in queue:
            queue.remove(turn)
            if not queue:
                del flows[flow]
            if not flows:
                del self._queues[_tenant(flow)]

    def _give_out(self) -> None:
        """Grant the free slots in turn, or set the timer that ends a pause."""
        now = _now()
        if now < self.limit.paused_until:
            self._wake_at(self.limit.paused_until)
            return
        while self._used < self.limit.allowed:
            waiting = (flow for flows in self._queues.values() for flow in flows)
            flow = next((flow for flow in waiting if self._may_start(flow, now)), None)
            if flow is None:
                return
            self._grant(flow)

    def _grant(self, flow: Flow) -> None:
        flows = self._queues.pop(_tenant(flow))
        queue = flows.pop(flow)
        turn = queue.popleft()
        if queue:
            flows[flow] = queue  # at the end: the other flows are next
        if flows:
            self._queues[_tenant(flow)] = flows
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
