"""Connections that never speak are counted and cut off before their TLS handshake, as on the other ports."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

import pytest
from aiohttp import web
from tests.unit.web.edge import until
from tests.unit.web.test_connections import GET, connected, ended

from nopea.tasks import end, spawn
from nopea.web.certificate import Certificate, make_certificate
from nopea.web.connections import Bound, Connections
from nopea.web.handshakes import TlsSite


@pytest.fixture(scope="module")
def certificate() -> Certificate:
    """A certificate for loopback."""
    return make_certificate(["127.0.0.1"], now=datetime.now(UTC))


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Handshakes take as long as they like, so that only the bound cuts them off."""
    monkeypatch.setattr("nopea.web.handshakes.HANDSHAKE_SECONDS", 600.0)


@asynccontextmanager
async def serving(certificate: Certificate, connections: Connections) -> AsyncIterator[int]:
    """Serve by TLS; yields the port. Every task has ended with it."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.load_into(context)

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=await request.text())

    before = asyncio.all_tasks()
    server = web.Server(answer)
    connections.guard(server)
    runner = web.ServerRunner(server)
    await runner.setup()
    await TlsSite(runner, "0.0.0.0", 0, connections=connections, context=context).start()
    watching = spawn(connections.run(), name="idle connections")
    try:
        yield int(runner.addresses[0][1])
    finally:
        await end(watching)
        await runner.cleanup()
        assert [task for task in asyncio.all_tasks() - before if task.get_name() == "handshake"] == []


async def answers(port: int, certificate: Certificate, *, client: str, request: bytes = GET) -> bytes:
    """Return the answer to a request from this address."""
    trust = ssl.create_default_context(cadata=certificate.pem)
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=trust, server_hostname="127.0.0.1", local_addr=(client, 0)
    )
    try:
        writer.write(request)
        async with asyncio.timeout(10):
            return await reader.readuntil(b"\r\n\r\n")
    finally:
        writer.close()


async def test_silent_connections_are_bounded_before_the_handshake(certificate: Certificate) -> None:
    """A client that opens too many loses its oldest; another one keeps its own, and is served."""
    connections = Connections(Bound(20, 5))
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(serving(certificate, connections))
        other = await stack.enter_async_context(connected(port, client="127.0.0.2"))
        silent = [await stack.enter_async_context(connected(port)) for _ in range(100)]
        await until(lambda: sum(ended(silent)) == 95)

        assert (await answers(port, certificate, client="127.0.0.2")).startswith(b"HTTP/1.1 200")
        assert ended([other, *silent[-5:]]) == [False] * 6
    assert not connections._open


async def test_a_full_server_takes_from_the_client_that_has_most_handshakes(certificate: Certificate) -> None:
    """Many clients together cannot exceed the total, and a newcomer is served."""
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(serving(certificate, Connections(Bound(6, 5))))
        silent = [
            await stack.enter_async_context(connected(port, client=f"127.0.0.{number % 3 + 2}"))
            for number in range(12)
        ]
        await until(lambda: sum(ended(silent)) == 6)

        assert (await answers(port, certificate, client="127.0.0.9")).startswith(b"HTTP/1.1 200")


async def test_a_handshake_has_a_deadline(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    """A silent connection is closed, and no longer counted."""
    monkeypatch.setattr("nopea.web.handshakes.HANDSHAKE_SECONDS", 0.05)
    connections = Connections(Bound(20, 5))
    async with serving(certificate, connections) as port, connected(port) as silent:
        await until(lambda: ended([silent]) == [True])
        await until(lambda: not connections._open)


async def test_who_does_not_speak_tls_is_cut_off(certificate: Certificate) -> None:
    """A request without TLS fails at once."""
    connections = Connections(Bound(20, 5))
    async with serving(certificate, connections) as port, connected(port, GET) as plain:
        await until(lambda: ended([plain]) == [True])
        await until(lambda: not connections._open)


async def test_many_requests_right_after_the_handshake_are_answered(certificate: Certificate) -> None:
    """A request may arrive with the last bytes of the handshake, before the server has taken over."""
    body = b"x" * 30_000
    request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    connections = Connections(Bound(100, 100))
    async with serving(certificate, connections) as port:
        for found in await asyncio.gather(
            *(answers(port, certificate, client="127.0.0.1", request=request) for _ in range(30))
        ):
            assert b"Content-Length: 30000" in found
        await until(lambda: not connections._open)


async def test_a_connection_that_is_cut_off_at_the_end_of_its_handshake_is_forgotten(
    certificate: Certificate,
) -> None:
    """A newcomer may take its place in the moment in which it would be served."""
    connections = Connections(Bound(2, 2))
    async with serving(certificate, connections) as port:

        async def ask() -> None:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await answers(port, certificate, client="127.0.0.1")

        await asyncio.gather(*(ask() for _ in range(300)))
        await until(lambda: not connections._open)
