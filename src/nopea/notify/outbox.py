"""Delivers messages to one sink: each namespace in its order, with retries, within bounds.

Offering never blocks and never fails, so that no sink, however slow or broken, delays a reconciliation.
Messages are kept in memory only and never read. `core/notify/delivery.py` decides what a response means.

No library for retries is used: those have a clock of their own, and neither a shutdown nor the sink can
change their pauses.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from datetime import UTC, datetime

from nopea import log_events, tasks
from nopea.core.notify.delivery import DeliveryPolicy, DeliveryStats, DeliveryVerdict, DropReason
from nopea.core.notify.fair_queue import FairQueue
from nopea.logs import Log
from nopea.notify.drop_counter import DropCounter
from nopea.notify.http import Message, NoResponseError, Post, Response

log = Log(__name__)

WARN_AFTER = 2
"""Failures in a row that are logged: a single one may be a kept connection that was just closed."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    message: Message
    offered_at: float
    size: int


@dataclass(frozen=True, slots=True)
class _Outcome:
    """The result of an attempt; `pause_seconds` is what the sink asked for."""

    verdict: DeliveryVerdict
    error: str = ""
    pause_seconds: float | None = None


class Outbox:
    """The queue of one sink. `name` is for the log; metrics sum up the queues with the same `label`.

    Neither is secret; a label, by default the name, is one of few.
    """

    def __init__(
        self, name: str, post: Post, *, policy: DeliveryPolicy | None = None, label: str = ""
    ) -> None:
        self.name = name
        self.label = label or name
        self._post = post
        self._policy = policy or DeliveryPolicy()
        self._sending: _Waiting | None = None
        self._queue = FairQueue[_Waiting]()
        self._bytes = 0
        self._arrived = asyncio.Event()
        self._closing = asyncio.Event()
        self._ended = asyncio.Event()
        self._deadline: asyncio.Timeout | None = None
        self._stopped = False
        self._failures = 0
        self._delivered = 0
        self._retried = 0
        self._drops = DropCounter(name)

    def offer(self, message: Message) -> bool:
        """Queue a message; False if it is refused: too big, or the outbox is stopped or closed.

        A full queue drops the oldest message of the namespace that has the most, because the latest has the
        current state. Call it from the event loop; never blocks, never raises; drops are counted and logged.
        """
        if self._stopped or self._closing.is_set():
            reason = DropReason.STOPPED if self._stopped else DropReason.SHUTDOWN
            self._drops.add(reason, last=message.id)
            return False
        size = message.size
        if size > self._policy.most_bytes // 2:  # so that it fits beside the one that is being sent
            self._drops.add(DropReason.TOO_BIG, last=message.id)
            return False
        waiting = _Waiting(message, asyncio.get_running_loop().time(), size)
        self._queue.put(message.namespace, waiting, size=size)
        self._bytes += size
        while (too_many := self._waiting() > self._policy.most_messages) or (
            self._bytes > self._policy.most_bytes
        ):
            oldest = self._queue.drop(by_size=not too_many)
            self._bytes -= oldest.size
            self._drops.add(DropReason.FULL, last=oldest.message.id)
        self._arrived.set()
        return True

    def stats(self) -> DeliveryStats:
        """Return the current counts."""
        return DeliveryStats(
            queued=self._waiting(),
            queued_bytes=self._bytes,
            delivered=self._delivered,
            retried=self._retried,
            dropped=self._drops.counts,
            stopped=self._stopped,
        )

    async def run(self) -> None:
        """Deliver until `close`, even if the sink is gone for good. Run it once.

        However it ends, undelivered messages are counted and logged.
        """
        drop_logging = tasks.spawn(self._drops.run(), name=f"drops of {self.name}")
        try:
            async with asyncio.timeout(None) as self._deadline:
                await self._deliver_all()
        except TimeoutError:
            if self._deadline is None or not self._deadline.expired():  # a bug: `close` set no deadline
                raise
        finally:
            self._ended.set()
            self._drop_all(DropReason.SHUTDOWN)
            await tasks.end(drop_logging)

    async def close(self, seconds: float) -> None:
        """Refuse new messages, deliver the queued ones within `seconds`, and let `run` end; idempotent.

        Pauses between attempts are cut short, except those that the sink asked for.
        """
        self._closing.set()
        self._arrived.set()
        if self._deadline is None:  # `run` has not started, and will find nothing to do
            self._drop_all(DropReason.SHUTDOWN)
        elif not self._ended.is_set():
            self._deadline.reschedule(asyncio.get_running_loop().time() + seconds)
            await self._ended.wait()

    async def _deliver_all(self) -> None:
        while True:
            if self._queue:
                self._sending = self._queue.take()
                await self._deliver(self._sending)
                self._remove_sending()
            elif self._closing.is_set():
                return
            else:
                self._arrived.clear()
                await self._arrived.wait()

    async def _deliver(self, waiting: _Waiting) -> None:
        """Try to send one message. If that must be repeated, other namespaces have their turn before."""
        outcome = await self._try(waiting.message)
        self._log_state(waiting.message, outcome)
        match outcome.verdict:
            case DeliveryVerdict.DELIVERED:
                self._delivered += 1
            case DeliveryVerdict.REFUSED:
                self._drops.add(DropReason.REFUSED, error=outcome.error, last=waiting.message.id)
            case DeliveryVerdict.GONE:
                self._stop(waiting.message)
            case DeliveryVerdict.RETRY:
                if asyncio.get_running_loop().time() - waiting.offered_at >= self._policy.life_seconds:
                    self._drops.add(DropReason.EXPIRED, error=outcome.error, last=waiting.message.id)
                    return
                self._retried += 1
                self._sending = None
                self._queue.put_back(waiting.message.namespace, waiting, size=waiting.size)
                await self._pause(outcome.pause_seconds)

    async def _try(self, message: Message) -> _Outcome:
        seconds = self._policy.attempt_seconds
        try:
            async with asyncio.timeout(seconds):
                response = await self._post(message)
        except TimeoutError:
            return _Outcome(DeliveryVerdict.RETRY, f"{message.address} did not respond within {seconds:g} s")
        except NoResponseError as error:
            return _Outcome(DeliveryVerdict.RETRY, str(error))
        return self._outcome(message, response)

    def _outcome(self, message: Message, response: Response) -> _Outcome:
        verdict = self._policy.verdict(response.status)
        if verdict is DeliveryVerdict.DELIVERED:
            return _Outcome(verdict)
        error = f"{message.address} answered {response.status}"
        if 300 <= response.status < 400:
            error += "; redirects are not followed, so configure the URL that it points to"
        pause = self._policy.retry_after_seconds(response.retry_after, now=datetime.now(UTC))
        return _Outcome(verdict, error, pause)

    async def _pause(self, asked_seconds: float | None) -> None:
        if asked_seconds is not None:
            await asyncio.sleep(asked_seconds)
            return
        is_closing = self._closing.is_set()
        ceiling = self._policy.ceiling_seconds(1 if is_closing else self._failures)
        seconds = random.uniform(0.0, ceiling)  # noqa: S311 - spreads load, guards nothing
        if is_closing:
            await asyncio.sleep(seconds)
            return
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return

    def _log_state(self, message: Message, outcome: _Outcome) -> None:
        """Log once that the sink fails, and once that it recovered; a refusal counts as working."""
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
        """Drop all messages and refuse new ones, because the sink is gone."""
        self._stopped = True
        log.write(log_events.sink_stopped, sink=self.name, url=str(message.address), queued=self._waiting())
        self._drop_all(DropReason.STOPPED)

    def _drop_all(self, reason: DropReason) -> None:
        count = self._waiting()
        self._sending = None
        self._queue.clear()
        self._bytes = 0
        if count:
            self._drops.add(reason, count=count)
        self._drops.write_log()

    def _remove_sending(self) -> None:
        if self._sending is not None:
            self._bytes -= self._sending.size
            self._sending = None

    def _waiting(self) -> int:
        return len(self._queue) + (self._sending is not None)
