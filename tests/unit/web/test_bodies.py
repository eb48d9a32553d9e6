"""Bodies that are too large, slow, too many, compressed or broken: no 5xx, and bounded memory."""

from __future__ import annotations

import asyncio
import gzip
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

import pytest
from tests.fakes.deliveries import push
from tests.fakes.samples import repository
from tests.unit.web.edge import HOOK, Edge, receiving, until

API = "/webhook/shop/api"


async def test_a_body_above_the_limit_is_413() -> None:
    """The limit applies with and without an announced length; a body at the limit is read."""
    fits = push(padding=50_000)
    sent = push(padding=50_001)

    async def in_pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(sent.body), 1000):
            yield sent.body[start : start + 1000]

    async with receiving(limit=len(fits.body)) as edge:
        for data in (sent.body, in_pieces()):
            answer = await edge.request("POST", API, data=data, headers=sent.headers)
            assert (answer.status, answer.code) == (413, "NOPEA-W008")
        assert (await edge.send(API, fits)).status == 202


async def test_a_body_in_chunks_is_read_whole() -> None:
    """A proxy may send a body in chunks."""
    sent = push()

    async def in_pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(sent.body), 7):
            yield sent.body[start : start + 7]

    async with receiving() as edge:
        assert (await edge.request("POST", API, data=in_pieces(), headers=sent.headers)).status == 202


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "nonsense", "gzip, gzip"])
async def test_a_compressed_body_is_415(encoding: str) -> None:
    """The body is never decompressed, so a decompression bomb has no effect."""
    bomb = gzip.compress(b"\0" * 50_000_000)
    async with receiving(limit=2 * 1024**2) as edge:
        answer = await edge.request(
            "POST", API, data=bomb, headers={**push().headers, "Content-Encoding": encoding}
        )

        assert (answer.status, answer.code) == (415, "NOPEA-W004")


HEAD = f"POST {API} HTTP/1.1\r\nHost: x\r\nX-GitHub-Event: push\r\n".encode()


@asynccontextmanager
async def connected(edge: Edge, first: bytes) -> AsyncIterator[tuple[StreamReader, StreamWriter]]:
    """Send some bytes, and close the connection at the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    try:
        writer.write(first)
        await writer.drain()
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def half(edge: Edge) -> AbstractAsyncContextManager[tuple[StreamReader, StreamWriter]]:
    """Send a request whose body is never completed."""
    return connected(edge, HEAD + b"Content-Length: 1000\r\n\r\n" + b"x" * 10)


async def test_a_slow_sender_is_408() -> None:
    """The next sender gets its turn."""
    async with receiving(small=0, read_seconds=0.2, at_once=1) as edge:
        async with half(edge) as (reader, _):
            assert (await reader.readline()).startswith(b"HTTP/1.1 408")
        assert (await edge.send(API, push())).status == 202


async def test_bodies_take_turns() -> None:
    """A delivery that arrives while others are read waits, and is answered when they end."""
    bounds: dict[str, Any] = {"small": 0, "at_once": 2, "read_seconds": 0.5, "wait_seconds": 10}
    async with receiving(**bounds) as edge, half(edge) as (first, _), half(edge) as (second, _):
        answers = await asyncio.gather(*(edge.send(API, push()) for _ in range(5)))

        assert [answer.status for answer in answers] == [202] * 5
        assert [(await reader.readline())[9:12] for reader in (first, second)] == [b"408"] * 2


async def test_slow_senders_of_small_bodies_take_no_turn() -> None:
    """Small bodies are read beside them, and a large body gets its turn at once."""
    bounds: dict[str, Any] = {"at_once": 1, "read_seconds": 30, "wait_seconds": 0.1, "limit": 500_000}
    async with receiving(**bounds) as edge, half(edge), half(edge), half(edge):
        await until(lambda: edge.bodies.held_now == 3)

        assert (await edge.send(API, push())).status == 202
        assert (await edge.send(API, push(padding=200_000))).status == 202


@pytest.mark.parametrize("length", [b"Content-Length: 400000", b"Transfer-Encoding: chunked"])
async def test_a_body_that_may_be_large_waits_for_its_turn(length: bytes) -> None:
    """While another large body is read, a large one has to wait and a small one does not."""
    bounds: dict[str, Any] = {"at_once": 1, "read_seconds": 30, "wait_seconds": 0.1, "limit": 500_000}
    async with receiving(**bounds) as edge, connected(edge, HEAD + length + b"\r\n\r\n"):
        await until(lambda: edge.bodies.held_now == 1)

        assert (await edge.send(API, push(padding=200_000))).status == 429
        assert (await edge.send(API, push())).status == 202


async def test_a_sender_that_waits_too_long_for_a_turn_is_429() -> None:
    """The response has a Retry-After header and is not a 5xx."""
    async with receiving(small=0, at_once=1, read_seconds=30, wait_seconds=0.1) as edge, half(edge):
        await until(lambda: edge.bodies.held_now == 1)
        answer = await edge.send(API, push())

        assert (answer.status, answer.code) == (429, "NOPEA-W009")
        assert answer.headers["Retry-After"] == "10"


async def test_too_many_waiting_senders_are_429_at_once() -> None:
    """The queue is bounded."""
    bounds: dict[str, Any] = {"small": 0, "at_once": 1, "most": 2, "read_seconds": 0.5, "wait_seconds": 10}
    async with receiving(**bounds) as edge, half(edge):
        await until(lambda: edge.bodies.held_now == 1)
        answers = await asyncio.gather(*(edge.send(API, push()) for _ in range(5)))

        assert sorted(answer.status for answer in answers) == [202, 429, 429, 429, 429]


async def test_a_sender_that_disconnects_frees_its_turn() -> None:
    """After three aborted connections the next delivery is accepted."""
    async with receiving(small=0, at_once=1, wait_seconds=5) as edge:
        for _ in range(3):
            async with half(edge) as (_, writer):
                writer.transport.abort()

        assert (await edge.send(API, push())).status == 202


@pytest.mark.parametrize(
    "rest", [b"zz\r\n", b"5\r\nabcdefgh\r\n", b"-1\r\n", b"FFFFFFFFFFFFFFFFFF\r\n", b"\r\n"]
)
async def test_a_body_with_invalid_chunks_is_rejected(rest: bytes) -> None:
    """The response is 400, or 408 if aiohttp has accepted the head and waits for the rest."""
    async with receiving(read_seconds=0.3) as edge:
        for at_once in (True, False):
            head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
            async with connected(edge, head + rest if at_once else head) as (reader, writer):
                if not at_once:
                    await until(lambda: edge.bodies.held_now == 1)
                    writer.write(rest)
                assert (await reader.readline())[9:12] in (b"400", b"408")


async def test_slow_senders_at_one_address_do_not_keep_out_those_at_another() -> None:
    """The oldest of the flood is told to try again, and makes room for the other address."""
    bounds: dict[str, Any] = {"most": 3, "read_seconds": 30}
    two = (repository(webhook=HOOK), repository("web", webhook=HOOK))
    async with receiving(*two, **bounds) as edge, half(edge) as (first, _), half(edge), half(edge):
        await until(lambda: edge.bodies.held_now == 3)

        assert (await edge.send("/webhook/shop/web", push())).status == 202
        assert (await first.readline())[9:12] == b"429"
        async with half(edge):
            await until(lambda: edge.bodies.held_now == 3)
            assert (await edge.send(API, push())).status == 429


async def test_large_bodies_at_one_address_do_not_keep_out_those_at_another() -> None:
    """The other address gets a turn of the flood, and gives it back."""
    bounds: dict[str, Any] = {"small": 0, "at_once": 2, "read_seconds": 30, "wait_seconds": 0.2}
    async with receiving(repository(webhook=HOOK), repository("web", webhook=HOOK), **bounds) as edge:
        async with half(edge) as (first, _), half(edge), half(edge):
            await until(lambda: edge.bodies.held_now == 3)

            answers = [await edge.send("/webhook/shop/web", push()) for _ in range(3)]
            assert [answer.status for answer in answers] == [202] * 3
            assert (await first.readline())[9:12] == b"429"
            await until(lambda: edge.bodies.held_now == 1)
            assert (await edge.send(API, push())).status == 202
        await until(lambda: edge.bodies.held_now == 0)
        answers = await asyncio.gather(*(edge.send(API, push()) for _ in range(4)))
        assert [answer.status for answer in answers] == [202] * 4
