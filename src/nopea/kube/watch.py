"""Follow the objects of one kind: first the complete list, then each change.

Level-based: when the server no longer has the changes since the last version, the complete list comes again.
A watch keeps no objects and never gives up; its consumer ends it by closing it.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec

from nopea import log_events
from nopea.core.objects import Resource
from nopea.kube import requests
from nopea.kube.client import KubeClient
from nopea.kube.errors import (
    ApiError,
    ApiFailure,
    ForbiddenError,
    GoneError,
    NotFoundError,
    ServerError,
    error_of,
    has_cause,
)
from nopea.kube.lines import LineSplitter
from nopea.kube.live import LiveObject
from nopea.kube.pause import Backoff
from nopea.kube.requests import EVERYTHING, Selection
from nopea.logs import Log

log = Log(__name__)


@dataclass(frozen=True, slots=True)
class Synced:
    """Every object that exists; an object that the consumer knew and that is not in it is gone."""

    objects: tuple[LiveObject, ...]


@dataclass(frozen=True, slots=True)
class Changed:
    """An object is new or has changed; this is its current state."""

    object: LiveObject


@dataclass(frozen=True, slots=True)
class Deleted:
    """An object is gone, or no longer matches the selection; this is its last state."""

    object: LiveObject


Event: TypeAlias = Synced | Changed | Deleted


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Durations in seconds.

    One watch lasts a random time from `shortest` to `longest`, so that watches do not all end at once. If it
    has not ended `grace` seconds later, the connection counts as dead. Retries are `first_pause` to
    `longest_pause` apart; after `stale_after` seconds of failures the objects count as stale. `chunk` is the
    number of objects in one page of a list.
    """

    shortest: float = 300.0
    longest: float = 600.0
    grace: float = 15.0
    first_pause: float = 0.25
    longest_pause: float = 30.0
    stale_after: float = 60.0
    chunk: int = 500


DEFAULT_TIMING = Timing()


@dataclass(slots=True)
class WatchHealth:
    """The state of a watch for `/ready` and metrics; only the watch writes it.

    `synced` is True while the objects that the watch has yielded are current: from the first list on, unless
    the server refuses the watch (403, 404) or it has failed for long. `lists` counts complete lists;
    `last_error` is None while the watch works. `answered` is set once the first list has come or failed.
    """

    synced: bool = False
    lists: int = 0
    last_error: ApiError | None = None
    answered: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    _logged: str = field(default="", repr=False)
    _failing_since: float | None = field(default=None, repr=False)

    def works(self, resource: Resource) -> None:
        """Note that the server answers: the last list and what has followed it are current."""
        if self._logged:
            log.write(log_events.watch_works_again, resource=str(resource))
        self.last_error, self._logged, self._failing_since = None, "", None
        self.synced = True
        self.answered.set()

    def failed(self, resource: Resource, error: ApiError, *, stale_after: float) -> None:
        """Note a failure; it is logged if it differs from the previous one, not at each retry."""
        self.last_error = error
        self.answered.set()
        now = time.monotonic()
        self._failing_since = now if self._failing_since is None else self._failing_since
        if isinstance(error, ForbiddenError | NotFoundError) or now - self._failing_since >= stale_after:
            self.synced = False
        failure = f"{type(error).__name__} {error.code} {error.reason}"
        if failure != self._logged:
            log.write(log_events.watch_interrupted, resource=str(resource), error=str(error))
        self._logged = failure


class _WireEvent(msgspec.Struct):
    type: str
    object: msgspec.Raw


_EVENT = msgspec.json.Decoder(_WireEvent)


async def list_and_watch(
    client: KubeClient,
    resource: Resource,
    selection: Selection = EVERYTHING,
    *,
    timing: Timing = DEFAULT_TIMING,
    health: WatchHealth | None = None,
) -> AsyncGenerator[Event, None]:
    """Yield `Synced` with every object, then `Changed` and `Deleted`; `Synced` again after a new list.

    Use it with `contextlib.aclosing`: closing or cancelling ends the connection. Events come in the server's
    order; the same state may come twice. No ApiError is raised: `health` holds the last one, also when the
    kind is not served or RBAC forbids the watch.
    """
    watching = _Watching(client, resource, selection, timing, health or WatchHealth())
    while True:
        try:
            if not watching.version:
                yield await watching.list()
            request, deadline = watching.next_request()
            async with client.stream(request) as stream:
                watching.opened()
                lines = LineSplitter()
                while chunk := await stream.read(within_seconds=max(0.1, deadline - time.monotonic())):
                    for line in lines.feed(chunk):
                        event = watching.take(line)
                        if event is not None:
                            yield event
            watching.ended()
        except ApiError as error:
            watching.failed(error)
        await watching.pause()


class _Watching:
    """The state of one list-and-watch: the last version seen, and the pause after a failure."""

    def __init__(
        self,
        client: KubeClient,
        resource: Resource,
        selection: Selection,
        timing: Timing,
        health: WatchHealth,
    ) -> None:
        self._client, self._resource, self._selection = client, resource, selection
        self._timing, self._health = timing, health
        self._backoff = Backoff(first_seconds=timing.first_pause, most_seconds=timing.longest_pause)
        self._opened_at = 0.0
        self._productive = False
        self._pause_seconds = 0.0
        self.version = ""

    async def list(self) -> Synced:
        listing = await self._client.list(self._resource, self._selection, chunk=self._timing.chunk)
        self.version = listing.resource_version
        self._health.lists += 1
        self._health.works(self._resource)
        return Synced(listing.items)

    def next_request(self) -> tuple[requests.ApiRequest, float]:
        """Return the watch to open, and the monotonic time after which its connection counts as dead."""
        seconds = random.uniform(self._timing.shortest, self._timing.longest)  # noqa: S311 - spreads load
        request = requests.watch(
            self._resource,
            self._selection,
            resource_version=self.version,
            timeout_seconds=max(1, round(seconds)),
        )
        return request, time.monotonic() + seconds + self._timing.grace

    def opened(self) -> None:
        self._opened_at, self._productive = time.monotonic(), False
        self._health.works(self._resource)

    def take(self, line: bytes) -> Event | None:
        """Return the event of one line, or None for a bookmark. Raises the error of an ERROR event."""
        try:
            event = _EVENT.decode(line)
            live = LiveObject(bytes(event.object))
            version = live.meta.resource_version
        except msgspec.MsgspecError as error:
            message = "A line of the watch is not an event."
            raise ServerError(ApiFailure(code=200, reason="Rubbish", message=message)) from error
        if event.type == "ERROR":
            raise error_of(200, live.body, request=f"watch {self._resource}")
        if version:
            self.version = version
        self._productive = True
        self._backoff.reset()
        match event.type:
            case "ADDED" | "MODIFIED":
                return Changed(live)
            case "DELETED":
                return Deleted(live)
            case _:  # BOOKMARK, and types of event that future servers may add
                return None

    def ended(self) -> None:
        """Continue at once after a normal end, but pause if the server ends every watch immediately."""
        lasted = time.monotonic() - self._opened_at
        self._pause_seconds = 0.0 if self._productive or lasted > 1.0 else self._backoff.next_seconds()

    def failed(self, error: ApiError) -> None:
        """Decide whether the last version can be continued from, and how long to wait."""
        self._health.failed(self._resource, error, stale_after=self._timing.stale_after)
        pause = self._backoff.next_seconds()
        if isinstance(error, GoneError) or has_cause(error, "ResourceVersionTooLarge"):
            pause = 0.0 if self.version and self._backoff.failures == 1 else pause
            self.version = ""
        elif isinstance(error, NotFoundError) or error.reason == "LineTooBig":
            self.version = ""
        self._pause_seconds = max(pause, error.retry_after_seconds or 0.0)

    async def pause(self) -> None:
        await self._backoff.sleep(self._pause_seconds)
