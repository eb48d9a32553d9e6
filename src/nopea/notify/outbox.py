"""Delivers messages to one sink: in order, again until they are taken, within bounds.

Offering never blocks and never fails, so that no sink, however slow or broken, holds up a pass. It keeps
messages in memory only, and never looks into them. What answers mean is decided in `core/notify/delivery.py`.

The loop is written out rather than taken from a library for retries: those measure with a clock of their own,
and their pauses can be neither cut short by a shutdown nor set by the sink.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime

from nopea import log_events, tasks
from nopea.core.notify.delivery import DeliveryPolicy, DeliveryStats, DeliveryVerdict, DropReason
from nopea.logs import Log
from nopea.notify.drops import Drops
from nopea.notify.message import Message, NoResponseError, Post, Response

log = Log(__name__)

WARN_AFTER = 2
"""Failures in a row that are worth a line: one may be a kept connection that was closed meanwhile."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    message: Message
    offered_at: float
    size: int


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a try came to; `pause_seconds` is the sink's own wish."""

    verdict: DeliveryVerdict
    error: str = ""
    pause_seconds: float | None = None


class Outbox:
    """The queue before one sink. `name` is a label: short, one of few, no secret."""

    def __init__(self, name: str, post: Post, *, policy: DeliveryPolicy | None = None) -> None:
        self.name = name
        self._post = post
        self._policy = policy or DeliveryPolicy()
        self._under_way: _Waiting | None = None
        self._queue: deque[_Waiting] = deque()
        self._bytes = 0
        self._arrived = asyncio.Event()
        self._closing = asyncio.Event()
        self._ended = asyncio.Event()
        self._deadline: asyncio.Timeout | None = None
        self._stopped = False
        self._failures = 0
        self._delivered = 0
        self._retried = 0
        self._drops = Drops(name)

    def offer(self, message: Message) -> bool:
        """Take a message for delivery; False when there is no place for it: too big, stopped or closed.

        When the queue is full the oldest message that is not under way is dropped, for the latest says what
        is so now. Call it from the event loop; never blocks, never raises; drops are counted and logged.
        """
        if self._stopped or self._closing.is_set():
            reason = DropReason.STOPPED if self._stopped else DropReason.SHUTDOWN
            self._drops.note(reason, last=message.id)
            return False
        size = message.size
        if size > self._policy.most_bytes // 2:  # so that it has a place beside the one under way
            self._drops.note(DropReason.TOO_BIG, last=message.id)
            return False
        self._queue.append(_Waiting(message, asyncio.get_running_loop().time(), size))
        self._bytes += size
        while self._waiting() > self._policy.most_messages or self._bytes > self._policy.most_bytes:
            oldest = self._queue.popleft()
            self._bytes -= oldest.size
            self._drops.note(DropReason.FULL, last=oldest.message.id)
        self._arrived.set()
        return True

    def stats(self) -> DeliveryStats:
        """Return the counts of now."""
        return DeliveryStats(
            queued=self._waiting(),
            queued_bytes=self._bytes,
            delivered=self._delivered,
            retried=self._retried,
            dropped=self._drops.counts,
            stopped=self._stopped,
        )

    async def run(self) -> None:
        """Deliver until `close`; a sink that is gone for good does not end it. Run it once.

        However it ends, what is left is counted and logged.
        """
        telling = tasks.spawn(self._drops.run(), name=f"drops of {self.name}")
        try:
            async with asyncio.timeout(None) as self._deadline:
                await self._deliver_all()
        except TimeoutError:
            if self._deadline is None or not self._deadline.expired():  # a bug: `close` set no deadline
                raise
        finally:
            self._ended.set()
            self._give_up_all(DropReason.SHUTDOWN)
            await tasks.end(telling)

    async def close(self, seconds: float) -> None:
        """Take nothing more, deliver what waits for at most so long, and let `run` end; idempotent.

        Pauses between tries are cut short, but for those that the sink asked for.
        """
        self._closing.set()
        self._arrived.set()
        if self._deadline is None:  # `run` has not begun, and will find nothing to do
            self._give_up_all(DropReason.SHUTDOWN)
        elif not self._ended.is_set():
            self._deadline.reschedule(asyncio.get_running_loop().time() + seconds)
            await self._ended.wait()

    async def _deliver_all(self) -> None:
        while True:
            if self._queue:
                self._under_way = self._queue.popleft()
                await self._deliver(self._under_way)
                self._forget_under_way()
            elif self._closing.is_set():
                return
            else:
                self._arrived.clear()
                await self._arrived.wait()

    async def _deliver(self, waiting: _Waiting) -> None:
        """Try one message until it is taken, refused or too old."""
        while True:
            outcome = await self._try(waiting.message)
            self._tell_state(waiting.message, outcome)
            match outcome.verdict:
                case DeliveryVerdict.DELIVERED:
                    self._delivered += 1
                    return
                case DeliveryVerdict.REFUSED:
                    self._drops.note(DropReason.REFUSED, error=outcome.error, last=waiting.message.id)
                    return
                case DeliveryVerdict.GONE:
                    self._stop(waiting.message)
                    return
                case DeliveryVerdict.RETRY:
                    if asyncio.get_running_loop().time() - waiting.offered_at >= self._policy.life_seconds:
                        self._drops.note(DropReason.EXPIRED, error=outcome.error, last=waiting.message.id)
                        return
                    self._retried += 1
                    await self._pause(outcome.pause_seconds)

    async def _try(self, message: Message) -> _Outcome:
        seconds = self._policy.attempt_seconds
        try:
            async with asyncio.timeout(seconds):
                answer = await self._post(message)
        except TimeoutError:
            return _Outcome(DeliveryVerdict.RETRY, f"{message.address} did not answer within {seconds:g} s")
        except NoResponseError as error:
            return _Outcome(DeliveryVerdict.RETRY, str(error))
        return self._outcome(message, answer)

    def _outcome(self, message: Message, answer: Response) -> _Outcome:
        verdict = self._policy.verdict(answer.status)
        if verdict is DeliveryVerdict.DELIVERED:
            return _Outcome(verdict)
        error = f"{message.address} answered {answer.status}"
        if 300 <= answer.status < 400:
            error += "; redirects are not followed: set the address that it leads to"
        pause = self._policy.retry_after_seconds(answer.retry_after, now=datetime.now(UTC))
        return _Outcome(verdict, error, pause)

    async def _pause(self, wanted_seconds: float | None) -> None:
        if wanted_seconds is not None:
            await asyncio.sleep(wanted_seconds)
            return
        hurried = self._closing.is_set()
        ceiling = self._policy.ceiling_seconds(1 if hurried else self._failures)
        seconds = random.uniform(0.0, ceiling)  # noqa: S311 - spreads load, guards nothing
        if hurried:
            await asyncio.sleep(seconds)
            return
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return

    def _tell_state(self, message: Message, outcome: _Outcome) -> None:
        """Say once that the sink fails, and that it works again; a refusal shows that it works."""
        if outcome.verdict is DeliveryVerdict.RETRY:
            self._failures += 1
            if self._failures == WARN_AFTER:
                log.write(
                    log_events.sink_failing, sink=self.name, url=str(message.address), error=outcome.error
                )
            return
        if self._failures >= WARN_AFTER:
            log.write(
                log_events.sink_recovered, sink=self.name, url=str(message.address), queued=self._waiting()
            )
        self._failures = 0

    def _stop(self, message: Message) -> None:
        """The sink said that it is gone: what waits for it is dropped, and what comes is refused."""
        self._stopped = True
        log.write(log_events.sink_stopped, sink=self.name, url=str(message.address), queued=self._waiting())
        self._give_up_all(DropReason.STOPPED)

    def _give_up_all(self, reason: DropReason) -> None:
        left = self._waiting()
        self._under_way = None
        self._queue.clear()
        self._bytes = 0
        if left:
            self._drops.note(reason, count=left)
        self._drops.tell()

    def _forget_under_way(self) -> None:
        if self._under_way is not None:
            self._bytes -= self._under_way.size
            self._under_way = None

    def _waiting(self) -> int:
        return len(self._queue) + (self._under_way is not None)
