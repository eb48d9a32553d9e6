"""Idle connections are closed, busy ones are not, and no client keeps others out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from aiohttp import web
from tests.unit.web.edge import until

from nopea.tasks import end, spawn
from nopea.web.connections import Bound, Connections, client_of

MANY = Bound(100, 100)
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@asynccontextmanager
async def serving(connections: Connections, *, seconds: float = 0, size: int = 3) -> AsyncIterator[int]:
    """Serve responses that take this many seconds."""

    async def slow(request: web.BaseRequest) -> web.StreamResponse:
        del request
        await asyncio.sleep(seconds)
        return web.Response(text="o" * (size - 1) + "\n")

    server = web.Server(slow)
    connections.guard(server)
    runner = web.ServerRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", 0).start()
    watching = spawn(connections.run(), name="idle connections")
    try:
        yield int(runner.addresses[0][1])
    finally:
        await end(watching)
        await runner.cleanup()


@asynccontextmanager
async def connected(
    port: int, first: bytes = b"", *, client: str = "127.0.0.1"
) -> AsyncIterator[asyncio.StreamReader]:
    """Open a connection from an address and send some bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(client, 0))
    try:
        writer.write(first)
        yield reader
    finally:
        writer.close()


async def answers(port: int, *, client: str) -> bool:
    """Return whether a request from this address is answered."""
    async with connected(port, GET, client=client) as reader, asyncio.timeout(10):
        return (await reader.read(12)) == b"HTTP/1.1 200"


def ended(readers: list[asyncio.StreamReader]) -> list[bool]:
    """Return which of the connections have been closed by the server, with or without a reset."""
    return [reader.at_eof() or reader.exception() is not None for reader in readers]


@pytest.mark.parametrize("first", [b"", b"POST /webhook HTTP/1.1\r\nHost:"])
async def test_an_incomplete_request_is_cut_off(first: bytes) -> None:
    """A connection on which nothing is sent is closed as well."""
    served = serving(Connections(MANY, idle_seconds=0.1))
    async with served as port, connected(port, first) as reader, asyncio.timeout(10):
        await until(lambda: ended([reader]) == [True])


async def test_a_slow_response_is_not_cut_off() -> None:
    """Only connections that wait for the client are closed."""
    served = serving(Connections(MANY, idle_seconds=0.05), seconds=0.5)
    async with served as port, connected(port, GET) as reader:
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")


async def test_a_client_that_does_not_read_is_cut_off() -> None:
    """A response that nobody reads does not hold its connection: the rest of it is dropped."""
    connections = Connections(MANY, idle_seconds=0.2)
    async with serving(connections, size=64 * 1024 * 1024) as port, connected(port, GET), asyncio.timeout(10):
        await until(lambda: len(connections._open) == 1)
        await until(lambda: not connections._open)


async def test_a_client_with_too_many_connections_loses_its_longest_idle_ones() -> None:
    """Two of five connections stay open: those that came last; a busy one is never closed for another."""
    connections = Connections(Bound(100, 3))
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(serving(connections, seconds=2))
        busy = await stack.enter_async_context(connected(port, GET))
        await until(lambda: any(one.requests for one in connections._open.values()))
        readers = [await stack.enter_async_context(connected(port)) for _ in range(5)]
        await until(lambda: ended(readers) == [True, True, True, False, False])

        assert (await busy.readline()).startswith(b"HTTP/1.1 200")


async def test_a_flood_of_one_client_does_not_touch_another() -> None:
    """While one address keeps opening connections, the idle connection of another stays, and it is served."""
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(serving(Connections(Bound(20, 5))))
        other = await stack.enter_async_context(connected(port, client="127.0.0.2"))
        for _ in range(100):
            await stack.enter_async_context(connected(port))

        assert await answers(port, client="127.0.0.2")
        assert ended([other]) == [False]


async def test_a_full_server_takes_from_the_client_that_has_most() -> None:
    """A newcomer is served although all places are taken; who has one connection keeps it."""
    connections = Connections(Bound(6, 5))
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(serving(connections))
        small = await stack.enter_async_context(connected(port, client="127.0.0.2"))
        big = [await stack.enter_async_context(connected(port)) for _ in range(5)]
        await until(lambda: len(connections._open) == 6)

        assert await answers(port, client="127.0.0.3")
        assert ended([small, *big]) == [False, True, False, False, False, False]


@pytest.mark.parametrize(
    ("peer", "client"),
    [
        (("192.0.2.7", 4000), "192.0.2.7"),
        (("::ffff:192.0.2.7", 4000, 0, 0), "192.0.2.7"),
        (("2001:db8:1:2:3:4:5:6", 4000, 0, 0), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 4000, 0, 2), "fe80::/64"),
        ("/run/socket", ""),
        (None, ""),
        (("nonsense", 1), ""),
    ],
)
def test_a_client_is_an_address_or_a_site(peer: object, client: str) -> None:
    """Whoever has an IPv6 network of 64 bits is one client, not 2**64."""
    assert client_of(peer) == client


@pytest.mark.parametrize(
    ("files", "bound"),
    [(65_536, Bound(1_024, 256)), (1_024, Bound(256, 64)), (256, Bound(64, 16)), (10, Bound(8, 2))],
)
def test_most_open_files_are_left_for_other_work(files: int, bound: Bound) -> None:
    """Connections from outside take a quarter of the files that the process may open, at most 1,024."""
    assert Bound.within(files) == bound
