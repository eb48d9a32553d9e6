"""Follow the objects of one kind: the whole set first, then each change, for ever.

Level-based: after an outage too long for the server's memory the whole set comes again. It keeps no objects
and never gives up; who consumes the stream ends it by closing it.
"""

from __future__ import annotations

import random
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec

from nopea.core.objects import Resource
from nopea.kube import requests
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiError, ApiFailure, GoneError, NotFoundError, ServerError, error_of, has_cause
from nopea.kube.lines import LineSplitter
from nopea.kube.live import LiveObject
from nopea.kube.pause import Backoff
from nopea.kube.requests import EVERYTHING, Selection
from nopea.logs import get_log

log = get_log(__name__)


@dataclass(frozen=True, slots=True)
class Synced:
    """Everything there is; whatever the consumer knew and is not in it is gone."""

    objects: tuple[LiveObject, ...]


@dataclass(frozen=True, slots=True)
class Changed:
    """An object is new or has changed; this is how it is now."""

    object: LiveObject


@dataclass(frozen=True, slots=True)
class Deleted:
    """An object is gone, or matches the selection no more; this is how it was last seen."""

    object: LiveObject


Event: TypeAlias = Synced | Changed | Deleted


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long things last, in seconds.

    One watch lasts a random time from `shortest` to `longest`, so that watches do not end together; after
    `grace` more without its end the connection is taken for dead; failures are `first_pause` to
    `longest_pause` apart. `chunk` counts the objects that a list asks for at once.
    """

    shortest: float = 300.0
    longest: float = 600.0
    grace: float = 15.0
    first_pause: float = 0.25
    longest_pause: float = 30.0
    chunk: int = 500


DEFAULT_TIMING = Timing()


@dataclass(slots=True)
class WatchHealth:
    """What `/ready` and metrics want to know; written by the watch, read by anybody.

    `synced` turns True with the first list and stays so; `last_error` is None while the watch works.
    """

    synced: bool = False
    lists: int = 0
    last_error: ApiError | None = None
    _logged: str = field(default="", repr=False)

    def works(self, resource: Resource) -> None:
        """Note that the server answers."""
        if self._logged:
            log.info("watch works again", resource=str(resource))
        self.last_error, self._logged = None, ""

    def failed(self, resource: Resource, error: ApiError) -> None:
        """Note a failure; logged when it differs from the last one, not at each retry."""
        self.last_error = error
        said = f"{type(error).__name__} {error.code} {error.reason}"
        if said != self._logged:
            log.warning("watch interrupted", resource=str(resource), error=str(error))
        self._logged = said


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
    """Give `Synced` with every object, then `Changed` and `Deleted`; `Synced` again after a new list.

    Use it with `contextlib.aclosing`: closing or cancelling ends the connection. Objects of one kind come in
    the server's order; the same state may be seen twice. Raises nothing that a later try could cure: failures
    are in `health`, which is also how to see that the kind is not served or RBAC forbids the watch.
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
    """Where one list-and-watch stands: the last version seen, and how long to pause after a failure."""

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
        self._health.synced = True
        self._health.lists += 1
        self._health.works(self._resource)
        return Synced(listing.items)

    def next_request(self) -> tuple[requests.ApiRequest, float]:
        """Return the watch to open, and when (monotonic) its silence means that the connection is dead."""
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
        """Read one line of the stream; raises the error that it may hold."""
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
            case _:  # BOOKMARK, and kinds of event that do not exist yet
                return None

    def ended(self) -> None:
        """Go on at once after a normal end; a server that ends every watch at once is not asked in a loop."""
        lasted = time.monotonic() - self._opened_at
        self._pause_seconds = 0.0 if self._productive or lasted > 1.0 else self._backoff.next_seconds()

    def failed(self, error: ApiError) -> None:
        """Decide whether the last version is still of use, and how long to wait."""
        self._health.failed(self._resource, error)
        pause = self._backoff.next_seconds()
        if isinstance(error, GoneError) or has_cause(error, "ResourceVersionTooLarge"):
            pause = 0.0 if self.version and self._backoff.failures == 1 else pause
            self.version = ""
        elif isinstance(error, NotFoundError) or error.reason == "LineTooBig":
            self.version = ""
        self._pause_seconds = max(pause, error.retry_after_seconds or 0.0)

    async def pause(self) -> None:
        await self._backoff.sleep(self._pause_seconds)
