"""Follow the objects of one kind: first the complete list, then each change.

Level-based: when the server no longer has the changes since the last version, the complete list comes again,
also when the server is behind that version because etcd was restored from a backup. A watch keeps no objects
and never gives up; its consumer ends it by closing it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
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
    InvalidError,
    NotFoundError,
    ServerError,
    SilenceError,
    UnreachableError,
    error_of,
    has_cause,
)
from nopea.kube.lines import LineSplitter
from nopea.kube.live import LiveObject, Meta, is_newer
from nopea.kube.pause import Backoff
from nopea.kube.requests import EVERYTHING, Selection
from nopea.logs import Log

log = Log(__name__)


@dataclass(frozen=True, slots=True)
class Synced:
    """Every object that exists at `version`; one that the consumer knew and that is not in it is gone.

    After etcd was restored, `version` and those of the objects may be lower than what was known.
    """

    objects: tuple[LiveObject, ...]
    version: str = field(default="", compare=False)


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
    has not ended `grace` seconds later, the connection counts as dead, and also after `silence` without a
    byte: the API server sends a bookmark every 60 s. Retries are `first_pause` to `longest_pause` apart;
    after `stale_after` seconds of failures the objects count as stale. `chunk` is the number of objects in
    one page of a list.
    """

    shortest: float = 300.0
    longest: float = 600.0
    grace: float = 15.0
    silence: float = 180.0
    first_pause: float = 0.25
    longest_pause: float = 30.0
    stale_after: float = 10.0
    chunk: int = 500


DEFAULT_TIMING = Timing()


@dataclass(slots=True)
class WatchHealth:
    """The state of a watch for `/ready`, caches and metrics; only the watch writes it.

    `synced` is True from the first list on, unless the server refuses the watch (403, 404). `lists` counts
    complete lists, `lists_begun` also those that failed; `version` is that of the last event, so that every
    change up to it has been yielded. `last_error` is None while the watch works. `answered` is set once the
    first list has come or failed.
    """

    synced: bool = False
    lists: int = 0
    lists_begun: int = 0
    version: str = ""
    last_error: ApiError | None = None
    answered: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    _logged: str = field(default="", repr=False)
    _stale_at: float | None = field(default=None, repr=False)

    @property
    def is_current(self) -> bool:
        """True while what the watch has yielded may be believed: it has not failed for more than seconds."""
        return self.synced and (self._stale_at is None or _now() < self._stale_at)

    def works(self, resource: Resource) -> None:
        """Note that the server answers: the last list and what has followed it are current."""
        if self._logged:
            log.write(log_events.watch_works_again, resource=str(resource))
        self.last_error, self._logged, self._stale_at = None, "", None
        self.synced = True
        self.answered.set()

    def silent(self, *, stale_after: float) -> None:
        """Note that the server has sent nothing for long; it is not a failure if the next watch opens."""
        self._stale_at = _now() + stale_after if self._stale_at is None else self._stale_at

    def failed(self, resource: Resource, error: ApiError, *, stale_after: float) -> None:
        """Note a failure; it is logged if it differs from the previous one, not at each retry."""
        self.last_error = error
        self.answered.set()
        self.silent(stale_after=stale_after)
        if isinstance(error, ForbiddenError | NotFoundError):
            self.synced = False
        failure = f"{type(error).__name__} {error.code} {error.reason}"
        if failure != self._logged:
            log.write(log_events.watch_interrupted, resource=str(resource), error=str(error))
        self._logged = failure


def _now() -> float:
    return asyncio.get_running_loop().time()


def _age(meta: Meta) -> tuple[int, str]:
    return len(meta.resource_version), meta.resource_version


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
            await watching.check()
            if not watching.version:
                yield await watching.list()
            request, deadline = watching.next_request()
            async with client.stream(request) as stream:
                watching.opened()
                lines = LineSplitter()
                while chunk := await stream.read(within_seconds=min(timing.silence, deadline - _now())):
                    for line in lines.feed(chunk):
                        event = watching.take(line)
                        if event is not None:
                            yield event
            watching.ended()
        except SilenceError:
            watching.silent()
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
        self._lost = False
        self._last: Meta | None = None
        self._is_last_deleted = False
        self._pause_seconds = 0.0
        self.version = ""

    async def check(self) -> None:
        """After a lost connection, list again if the server's history is not the one that was watched.

        A server whose etcd was restored from a backup accepts a watch from a version that it has not reached,
        or has reached by other changes; the watch would never tell what is old again.
        """
        if self._lost and self.version and not await self._goes_on():
            self.version = ""
        self._lost = False

    async def _goes_on(self) -> bool:
        """Return whether the server knows the last change that was seen, or a later one of that object."""
        if self._last is None:
            return False  # there was nothing, so that a list costs no more than this question
        selection = replace(
            self._selection,
            namespace=self._last.namespace,
            fields=f"metadata.name={self._last.name}",
            metadata_only=True,
        )
        try:
            found = await self._client.list(self._resource, selection, chunk=1)
        except InvalidError:
            return False  # an aggregated API may not know how to select by name
        seen = self._last.resource_version
        if not (seen.isdecimal() and found.resource_version.isdecimal()):
            return True  # such versions cannot be compared
        if is_newer(self.version, found.resource_version):
            return False
        if self._is_last_deleted:
            return not any(is_newer(seen, each.meta.resource_version) for each in found.items)
        return any(not is_newer(seen, each.meta.resource_version) for each in found.items)

    async def list(self) -> Synced:
        self._health.lists_begun += 1
        listing = await self._client.list(self._resource, self._selection, chunk=self._timing.chunk)
        self.version = self._health.version = listing.resource_version
        self._health.lists += 1
        self._health.works(self._resource)
        metas = (item.meta for item in listing.items)
        self._last, self._is_last_deleted = max(metas, key=_age, default=None), False
        return Synced(listing.items, listing.resource_version)

    def next_request(self) -> tuple[requests.ApiRequest, float]:
        """Return the watch to open, and the time after which its connection counts as dead."""
        seconds = random.uniform(self._timing.shortest, self._timing.longest)  # noqa: S311 - spreads load
        request = requests.watch(
            self._resource,
            self._selection,
            resource_version=self.version,
            timeout_seconds=max(1, round(seconds)),
        )
        return request, _now() + seconds + self._timing.grace

    def opened(self) -> None:
        self._opened_at, self._productive = _now(), False
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
            self.version = self._health.version = version
        self._productive = True
        self._backoff.reset()
        match event.type:
            case "ADDED" | "MODIFIED":
                self._last, self._is_last_deleted = live.meta, False
                return Changed(live)
            case "DELETED":
                self._last, self._is_last_deleted = live.meta, True
                return Deleted(live)
            case _:  # BOOKMARK, and types of event that future servers may add
                return None

    def ended(self) -> None:
        """Continue at once after a normal end, but pause if the server ends every watch immediately."""
        lasted = _now() - self._opened_at
        self._pause_seconds = 0.0 if self._productive or lasted > 1.0 else self._backoff.next_seconds()

    def silent(self) -> None:
        """Open the watch again at once: the connection is dead, or this server sends no bookmarks."""
        self._health.silent(stale_after=self._timing.stale_after)
        self._lost, self._pause_seconds = True, 0.0

    def failed(self, error: ApiError) -> None:
        """Decide whether the last version can be continued from, and how long to wait."""
        self._health.failed(self._resource, error, stale_after=self._timing.stale_after)
        self._lost = self._lost or isinstance(error, UnreachableError)
        pause = self._backoff.next_seconds()
        if isinstance(error, GoneError) or has_cause(error, "ResourceVersionTooLarge"):
            pause = 0.0 if self.version and self._backoff.failures == 1 else pause
            self.version = ""
        elif isinstance(error, NotFoundError) or error.reason == "LineTooBig":
            self.version = ""
        self._pause_seconds = max(pause, error.retry_after_seconds or 0.0)

    async def pause(self) -> None:
        await self._backoff.sleep(self._pause_seconds)
