"""Live updates: one stream of server-sent events for each open page, which sends only what has changed.

Each stream looks at the memory about once a second, less often if looks take long. It keeps no queue, so
that a slow reader costs only itself. Streams are bounded in number and time; a browser opens the next one
where the last one has ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Final

from aiohttp import web

from nopea.dashboard.guard import RefusedRequestError, harden

MOST_STREAMS: Final = 200
LOOK_SECONDS: Final = 1.0
MOST_SHARE: Final = 0.1
"""Of the process's time, for the looks of all streams: the controller has other work."""

ALIVE_SECONDS: Final = 15.0
"""After so long without news, an event shows to the browser that the stream lives, and to us that it does."""

WRITE_SECONDS: Final = 20.0
STREAM_SECONDS: Final = 1_800.0
RETRY_MILLISECONDS: Final = 2_000

Sent = tuple[str, str]
"""The name of an event and its data."""

ALIVE: Final = b"event: alive\ndata: \n\n"


def event(name: str, data: str, *, at: str = "") -> bytes:
    """Return one server-sent event."""
    lines = [f"id: {at}"] if at else []
    lines += [f"event: {name}", *(f"data: {line}" for line in data.splitlines() or ("",)), "", ""]
    return "\n".join(lines).encode()


class Streams:
    """The open streams of one server."""

    def __init__(self, *, most: int = MOST_STREAMS, look_seconds: float = LOOK_SECONDS) -> None:
        self._most = most
        self._open = 0
        self._look_seconds = look_seconds
        self._closing = asyncio.Event()

    def close(self) -> None:
        """End all streams soon, so that the server can stop; browsers open them again when it is back."""
        self._closing.set()

    async def serve(
        self, request: web.Request, looks: AsyncGenerator[tuple[list[Sent], str]]
    ) -> web.StreamResponse:
        """Send what each look finds, with the number that it reaches; an empty look is a pause.

        Raises RefusedRequestError when too many streams are open.
        """
        if self._open >= self._most:
            raise RefusedRequestError(503, "Too many pages are open. This one is not live.")
        self._open += 1
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}
        )
        harden(response)
        try:
            await response.prepare(request)
            await self._send(response, f"retry: {RETRY_MILLISECONDS}\n\n".encode())
            async with asyncio.timeout(STREAM_SECONDS), aclosing(looks):
                await self.follow(looks, lambda data: self._send(response, data))
        except (ConnectionError, TimeoutError):
            pass  # the browser is gone, reads nothing, or opens the next stream
        finally:
            self._open -= 1
        return response

    async def follow(
        self, looks: AsyncIterator[tuple[list[Sent], str]], send: Callable[[bytes], Awaitable[None]]
    ) -> None:
        """Send what the looks find, until they end or the server does."""
        now = asyncio.get_running_loop().time
        begun = sent = now()
        async for news, at in looks:
            until = now() + self.pause(now() - begun)
            if news:
                parts = [event(name, data, at=at if index == len(news) - 1 else "")
                         for index, (name, data) in enumerate(news)]  # fmt: skip
                await send(b"".join(parts))
                sent = now()
            while now() < until:
                if await self._is_closing(min(until, sent + ALIVE_SECONDS) - now()):
                    return
                if now() >= sent + ALIVE_SECONDS:
                    await send(ALIVE)
                    sent = now()
            begun = now()

    def pause(self, spent_seconds: float) -> float:
        """Return the time until the next look, so long that all streams together have a small share."""
        return max(self._look_seconds, spent_seconds * self._open / MOST_SHARE)

    async def _is_closing(self, seconds: float) -> bool:
        """Wait until the next look; return whether there is none."""
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return False
        return True

    async def _send(self, response: web.StreamResponse, data: bytes) -> None:
        async with asyncio.timeout(WRITE_SECONDS):
            await response.write(data)
