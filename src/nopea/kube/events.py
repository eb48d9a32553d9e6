"""Send Kubernetes Events (`events.k8s.io/v1`), with equal ones counted in a series.

Recording never blocks and never fails: Events that cannot be sent in time are counted and dropped. The
controller never reads Events; `nopea events` does.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from nopea import log_events
from nopea.core.api import names
from nopea.core.api.repository import Repository
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiError, NotFoundError
from nopea.kube.event_body import (
    EVENTS,
    Happening,
    Regarding,
    Reporter,
    event_body,
    event_namespace,
    happening,
    new_event_name,
    series_body,
)
from nopea.kube.pause import Backoff
from nopea.logs import Log

__all__ = ["EventRecorder", "Regarding", "regarding"]

log = Log(__name__)

QUEUE_LIMIT = 1_000
SERIES_LIMIT = 4_096
FLUSH_SECONDS = 5.0
"""How long `run` continues after `stop`."""

_TRIES = 4
_Write = Callable[[Happening], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pacing:
    """When occurrences are written.

    A series ends after `quiet_seconds` without an occurrence, as elsewhere in Kubernetes. Its second
    occurrence is written at once, later ones at most every `refresh_seconds`.
    """

    quiet_seconds: float = 360.0
    refresh_seconds: float = 60.0


@dataclass(slots=True)
class _Series:
    """An Event on the server: its occurrences, the last one, and how many of them the server has counted."""

    name: str
    last: Happening
    seen_at: float
    written_at: float
    count: int = 1
    written: int = 1


def regarding(repository: Repository) -> Regarding:
    """Return a GitRepository as the object of an Event."""
    return Regarding(
        api_version=names.API_VERSION,
        kind=names.KIND,
        namespace=repository.key.namespace,
        name=repository.key.name,
        uid=repository.uid,
        resource_version=repository.resource_version,
    )


class EventRecorder:
    """Queues Events; `run` sends them, one request at a time."""

    def __init__(
        self,
        client: KubeClient,
        *,
        pacing: Pacing | None = None,
    ) -> None:
        self._client = client
        self._reporter = Reporter(names.CONTROLLER, f"{socket.gethostname()}_{os.getpid()}"[:128])
        self._pacing = pacing or Pacing()
        self._queue: deque[Happening] = deque()
        self._arrived = asyncio.Event()
        self._series: OrderedDict[Happening, _Series] = OrderedDict()
        self._late: dict[Happening, _Series] = {}
        self._stopping = False
        self._deadline: asyncio.Timeout | None = None
        self.dropped = 0
        self.failing: ApiError | None = None

    @property
    def queued(self) -> int:
        """The number of Events that wait to be sent."""
        return len(self._queue)

    def record(
        self,
        regarding: Regarding,
        *,
        type: str,  # noqa: A002 - the field's name in the API
        reason: str,
        action: str,
        note: str,
        related: Regarding | None = None,
    ) -> None:
        """Queue an Event; a full queue drops its oldest one.

        `type` is Normal or Warning; `reason` and `action` are CamelCase words of at most 128 characters;
        `note` is cut to 1,024 bytes. Never blocks, never raises.
        """
        if len(self._queue) >= QUEUE_LIMIT:
            self._queue.popleft()
            self.dropped += 1
        words = (type, reason, action, note)
        self._queue.append(happening(regarding, words, at=datetime.now(UTC), related=related))
        self._arrived.set()

    async def run(self) -> None:
        """Send recorded Events until `stop`, then the remaining ones for at most `FLUSH_SECONDS`."""
        try:
            async with asyncio.timeout(None) as self._deadline:
                await self._work()
        except TimeoutError:
            self.dropped += len(self._queue)
            log.write(log_events.events_dropped, count=len(self._queue))

    def stop(self) -> None:
        """Ask `run` to end."""
        self._stopping = True
        self._arrived.set()
        if self._deadline is not None:
            self._deadline.reschedule(asyncio.get_running_loop().time() + FLUSH_SECONDS)

    async def _work(self) -> None:
        while self._queue or not self._stopping:
            if self._queue:
                await self._attempt(self._write, self._queue.popleft())
            else:
                await self._wait()
            await self._refresh(all_series=False)
        await self._refresh(all_series=True)

    async def _wait(self) -> None:
        self._arrived.clear()
        try:
            async with asyncio.timeout(self._pacing.refresh_seconds if self._late else None):
                await self._arrived.wait()
        except TimeoutError:
            return

    async def _attempt(self, write: _Write, happened: Happening) -> None:
        """Write with a few retries; an Event that cannot be written is counted and dropped."""
        backoff = Backoff(first_seconds=0.5, most_seconds=10.0)
        for attempt in range(_TRIES):
            try:
                await write(happened)
            except ApiError as error:
                if not error.retryable or attempt == _TRIES - 1:
                    self._give_up(error)
                    return
                await backoff.sleep(max(backoff.next_seconds(), error.retry_after_seconds or 0.0))
            except asyncio.CancelledError:
                self.dropped += 1
                raise
            else:
                self.failing = None
                return

    async def _write(self, happened: Happening) -> None:
        """Create an Event, or count one more occurrence of an existing one."""
        now = time.monotonic()
        series = self._series.get(happened)
        if series is None or now - series.seen_at >= self._pacing.quiet_seconds:
            await self._create(happened)
            return
        if series.last is not happened:  # a retry was counted before
            series.count, series.seen_at, series.last = series.count + 1, now, happened
        if series.written >= 2 and now - series.written_at < self._pacing.refresh_seconds:
            self._late[happened] = series
        else:
            await self._update(happened)

    async def _create(self, happened: Happening) -> None:
        name = new_event_name(happened)
        body = event_body(happened, self._reporter, name=name)
        await self._client.create(EVENTS, body, namespace=event_namespace(happened))
        now = time.monotonic()
        self._series.pop(happened, None)  # moves the series to the end, with this occurrence as its key
        self._series[happened] = _Series(name, happened, now, now)
        while len(self._series) > SERIES_LIMIT:
            oldest, _ = self._series.popitem(last=False)
            self._late.pop(oldest, None)

    async def _update(self, happened: Happening) -> None:
        """Write the count of a series; create a new Event if the old one has expired on the server."""
        series = self._series[happened]
        target = EVENTS.at(name=series.name, namespace=event_namespace(happened))
        count = series.count
        self._late.pop(happened, None)
        try:
            await self._client.patch(target, series_body(series.last, count=count))
        except NotFoundError:
            await self._create(series.last)
            return
        series.written, series.written_at = count, time.monotonic()

    async def _refresh(self, *, all_series: bool) -> None:
        now = time.monotonic()
        for happened, series in list(self._late.items()):
            if all_series or now - series.written_at >= self._pacing.refresh_seconds:
                await self._attempt(self._update, happened)

    def _give_up(self, error: ApiError) -> None:
        self.dropped += 1
        if self.failing is None or type(self.failing) is not type(error):
            log.write(log_events.event_not_sent, error=str(error))
        self.failing = error
