"""Idle connections are closed; connections that are being served are not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from tests.unit.web.edge import until

from nopea.tasks import end, spawn
from nopea.web.idle import IdleConnections


@asynccontextmanager
async def serving(idle: IdleConnections, *, seconds: float) -> AsyncIterator[int]:
    """Serve responses that take this many seconds."""

    async def slow(request: web.BaseRequest) -> web.StreamResponse:
        del request
        await asyncio.sleep(seconds)
        return web.Response(text="ok\n")

    server = web.Server(idle.counting(slow))
    runner = web.ServerRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    watching = spawn(idle.run(server), name="idle connections")
    try:
        yield int(runner.addresses[0][1])
    finally:
        await end(watching)
        await runner.cleanup()


@asynccontextmanager
async def connected(port: int, first: bytes) -> AsyncIterator[asyncio.StreamReader]:
    """Open a connection and send some bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(first)
        yield reader
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("first", [b"", b"POST /webhook HTTP/1.1\r\nHost:"])
async def test_an_incomplete_request_is_cut_off(first: bytes) -> None:
    """A connection on which nothing is sent is closed as well."""
    served = serving(IdleConnections(idle_seconds=0.1), seconds=0)
    async with served as port, connected(port, first) as reader, asyncio.timeout(10):
        assert await reader.read() == b""


async def test_a_slow_response_is_not_cut_off() -> None:
    """Only connections that wait for the client are closed."""
    served = serving(IdleConnections(idle_seconds=0.05), seconds=0.5)
    async with served as port, connected(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") as reader:
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")


async def test_too_many_idle_connections_are_cut_off_early() -> None:
    """Only two connections are allowed, so three of five are closed before the idle time is over."""
    idle = IdleConnections(idle_seconds=2, most=2)
    async with serving(idle, seconds=0) as port, asyncio.timeout(20):
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
        await until(lambda: any(reader.at_eof() for reader, _ in opened))
        await asyncio.sleep(0.1)  # the others are closed at the same time
        cut = [reader.at_eof() for reader, _ in opened]
        for _, writer in opened:
            writer.close()
            await writer.wait_closed()

    assert sum(cut) == 3
