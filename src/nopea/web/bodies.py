"""Reads the body of a request as it was sent: with a size limit, a deadline, few large ones at once.

Never decodes, decompresses or parses, because signatures cover the bytes.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from http import HTTPStatus

from aiohttp import web
from aiohttp.client_exceptions import ClientPayloadError
from aiohttp.http_exceptions import HttpProcessingError

from nopea.core.problem import Code
from nopea.core.webhooks.refused import RefusedError

SMALL = 64 * 1024
"""Bodies up to this Content-Length are buffered anyway, and do not count as large.

Nearly all are small, so slow strangers cannot keep them out.
"""

AT_ONCE = 16
"""Large bodies in memory at a time, each up to the limit, for at most `READ_SECONDS`."""

MOST = 256
"""Requests at a time, including those that wait; TCP holds back their senders."""

WAIT_SECONDS = 5.0
READ_SECONDS = 10.0

_BROKEN = (web.RequestPayloadError, ClientPayloadError, HttpProcessingError)


class _Reading:
    """A body that is being read, or waits for its turn; `end` makes room for another."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.has_turn = False
        self.is_ended = False
        self._deadline: asyncio.Timeout | None = None

    @asynccontextmanager
    async def within(self, seconds: float) -> AsyncIterator[None]:
        """Raise TimeoutError when the time is up, or when `end` is called."""
        async with asyncio.timeout(0 if self.is_ended else seconds) as self._deadline:
            yield

    def end(self) -> None:
        """End it now: its sender is told to try again."""
        self.is_ended = True
        if self._deadline is not None:
            self._deadline.reschedule(asyncio.get_running_loop().time())


class Bodies:
    """All bodies in memory: bounded in size, in number, and in the time to read each.

    Where there is no room, the address that has the most makes some for one that has fewer: its oldest body
    that is still being read is given up.
    """

    def __init__(
        self, *, limit: int, small: int = SMALL, at_once: int = AT_ONCE, most: int = MOST,
        wait_seconds: float = WAIT_SECONDS, read_seconds: float = READ_SECONDS,
    ) -> None:  # fmt: skip
        self.limit = limit
        self._small, self._most = small, most
        self._wait_seconds, self._read_seconds = wait_seconds, read_seconds
        self._turns = asyncio.Semaphore(at_once)
        self._readings: dict[_Reading, None] = {}
        """Those that can be ended, the oldest first."""
        self.held_now = 0
        """Requests that are being read, that wait, or whose body is in use."""

    @asynccontextmanager
    async def held(self, request: web.Request) -> AsyncIterator[bytes]:
        """Yield the body, which counts as held until the context ends.

        Raises RefusedError: 400 broken, 408 too slow, 413 too large, 415 compressed, 429 too many at once.
        """
        encoding = request.headers.get("Content-Encoding", "").strip().lower()
        if encoding not in ("", "identity"):
            raise RefusedError.because(
                Code.WEBHOOK_PAYLOAD,
                "The body is compressed.",
                "Send it without Content-Encoding: signatures cover the uncompressed bytes.",
                status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            )
        if (request.content_length or 0) > self.limit:
            raise self._too_large()
        reading = _Reading(request.path)
        if self.held_now >= self._most and not self._make_room(reading):
            raise _busy()
        self.held_now += 1
        self._readings[reading] = None
        try:
            is_small = request.content_length is not None and request.content_length <= self._small
            async with nullcontext() if is_small else self._turn(reading):
                body = await self._read(request, reading)
                self._readings.pop(reading, None)
                yield body
        finally:
            self._readings.pop(reading, None)
            self.held_now -= 1

    def _make_room(self, reading: _Reading, *, of_turn: bool = False) -> bool:
        """End a body of the address with the most, if that has more than this one's; hand its turn over."""
        counts = Counter(each.address for each in self._readings if each.has_turn or not of_turn)
        most = max(counts.values(), default=0)
        if most <= counts[reading.address]:
            return False
        oldest = next(
            each for each in self._readings if counts[each.address] == most and (each.has_turn or not of_turn)
        )
        del self._readings[oldest]
        if of_turn:
            oldest.has_turn, reading.has_turn = False, True
        oldest.end()
        return True

    @asynccontextmanager
    async def _turn(self, reading: _Reading) -> AsyncIterator[None]:
        if not self._turns.locked() or not self._make_room(reading, of_turn=True):
            try:
                async with reading.within(self._wait_seconds):
                    await self._turns.acquire()
            except TimeoutError as error:
                raise _busy() from error
            reading.has_turn = True
        try:
            yield
        finally:
            if reading.has_turn:
                self._turns.release()

    async def _read(self, request: web.Request, reading: _Reading) -> bytes:
        body = bytearray()
        try:
            async with reading.within(self._read_seconds):
                while chunk := await request.content.readany():
                    body += chunk
                    if len(body) > self.limit:
                        raise self._too_large()
        except TimeoutError as error:
            if reading.is_ended:
                raise _busy() from error
            raise RefusedError.because(
                Code.WEBHOOK_TRY_AGAIN,
                f"The body did not arrive within {self._read_seconds:g} s.",
                "Check the network between the sender and Nopea, and send the delivery again.",
                status=HTTPStatus.REQUEST_TIMEOUT,
            ) from error
        except _BROKEN as error:
            raise RefusedError.because(
                Code.WEBHOOK_PAYLOAD,
                "The body is not valid HTTP.",
                "Check for a proxy that changes requests on the way to Nopea.",
                status=HTTPStatus.BAD_REQUEST,
            ) from error
        return bytes(body)

    def _too_large(self) -> RefusedError:
        return RefusedError.because(
            Code.WEBHOOK_TOO_LARGE,
            f"The body is larger than {self.limit} bytes.",
            "Raise --webhook-body-limit, or push fewer commits at once. Polling finds the commit meanwhile.",
            status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        )


def _busy() -> RefusedError:
    return RefusedError.because(
        Code.WEBHOOK_TRY_AGAIN,
        "Too many deliveries arrive at once.",
        "Send the delivery again later. Polling finds the commit meanwhile.",
        status=HTTPStatus.TOO_MANY_REQUESTS,
        retry_after_seconds=10,
    )
