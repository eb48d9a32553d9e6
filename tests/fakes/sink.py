"""A real HTTP server on loopback that receives messages and can be made to misbehave."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import orjson


@dataclass(frozen=True, slots=True)
class Reply:
    """The response to one request: sent after `delay` seconds, in full or only its first part."""

    status: int = 202
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay: float = 0.0
    cut: int | None = None
    """Close after this many bytes of the response; None: the whole response is sent."""


OK = Reply()
HANG = Reply(delay=3600)
CLOSE = Reply(cut=0)
MID_HEADERS = Reply(cut=20)
MID_BODY = Reply(status=200, body=b"x" * 100, cut=-50)
GARBAGE = Reply(status=-1)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A received request; header names are in lower case."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    status: int

    @property
    def json(self) -> dict[str, object]:
        """The body, which must be a JSON object."""
        found = orjson.loads(self.body)
        assert isinstance(found, dict)
        return found


class Sink:
    """An HTTP server that listens while the context is open. It sends `replies` first, then `usual`."""

    def __init__(self, *, usual: Reply = OK) -> None:
        self.usual = usual
        self.replies: deque[Reply] = deque()
        self.arrivals: list[Arrival] = []
        self.port = 0
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._arrived = asyncio.Condition()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.shut()

    async def open(self) -> None:
        """Listen; after `shut`, on the same port as before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def shut(self) -> None:
        """Close the port and all connections."""
        if self._server is not None:
            self._server.close()
            for task in self._serving:
                task.cancel()
            if self._serving:
                await asyncio.wait(self._serving)
            await self._server.wait_closed()
            self._server = None

    def url(self, path: str = "/events", *, userinfo: str = "") -> str:
        """Return the server's URL."""
        return f"http://{userinfo}{'@' if userinfo else ''}127.0.0.1:{self.port}{path}"

    @property
    def taken(self) -> list[Arrival]:
        """The requests that got a 2xx response."""
        return [arrival for arrival in self.arrivals if 200 <= arrival.status < 300]

    async def wait_for(self, count: int, *, seconds: float = 20.0) -> list[Arrival]:
        """Wait until that many requests got a 2xx response, and return them."""
        async with asyncio.timeout(seconds), self._arrived:
            await self._arrived.wait_for(lambda: len(self.taken) >= count)
        return self.taken

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while await self._answer_one(reader, writer):
                    pass
        except asyncio.CancelledError:
            return  # `shut` cancels this task and waits for it
        finally:
            writer.transport.abort()
            self._serving.discard(task)

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Receive a request and respond to it; return False if the connection must be closed."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        reply = self.replies.popleft() if self.replies else self.usual
        if reply.delay:
            await asyncio.sleep(reply.delay)
        self.arrivals.append(
            Arrival(first.split(" ")[1], headers, body, reply.status if reply.cut is None else 0)
        )
        async with self._arrived:
            self._arrived.notify_all()
        writer.write(_bytes_of(reply))
        await writer.drain()
        return reply.cut is None


def _bytes_of(reply: Reply) -> bytes:
    if reply.status < 0:
        return b"this is no HTTP at all\r\n\r\n"
    headers = {"Content-Length": str(len(reply.body)), **reply.headers}
    head = f"HTTP/1.1 {reply.status} So\r\n" + "".join(
        f"{name}: {value}\r\n" for name, value in headers.items()
    )
    whole = head.encode() + b"\r\n" + reply.body
    return whole if reply.cut is None else whole[: reply.cut]
