"""The streams of open pages: how often they look, and how they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.fakes.dashboard import KnownSource, fine
from tests.fakes.dashboard_server import dashboard

from nopea.dashboard.live import ALIVE, Sent, Streams, event


async def test_streams_are_bounded_and_end_when_the_server_does() -> None:
    """One too many is refused; the others end at once."""
    streams = Streams(most=1, look_seconds=30)
    source = KnownSource()
    source.put(fine("web"))
    async with dashboard(source, streams=streams) as visitor:
        at = await visitor.at()
        async with visitor.stream(f"/live?at={at}"):
            assert (await visitor.get(f"/live?at={at}")).status == 503
            streams.close()
        assert (await visitor.get(f"/live?at={at}")).status == 200


def test_event_has_a_line_for_each_line() -> None:
    """And no data can end it early."""
    assert (
        event("row", "a\nb\r\rid: 5", at="x-1")
        == b"id: x-1\nevent: row\ndata: a\ndata: b\ndata: \ndata: id: 5\n\n"
    )


def test_streams_have_a_small_share_of_the_process() -> None:
    """The longer a look takes, and the more streams there are, the longer is the pause."""
    streams = Streams(look_seconds=1.0)
    streams._open = 50
    assert streams.pause(0.0002) == 1.0
    assert streams.pause(0.010) == pytest.approx(5.0)


@pytest.mark.looptime
async def test_slow_look_is_followed_by_a_long_pause_in_which_the_stream_shows_that_it_lives(
    looptime: Any,
) -> None:
    """In the time of the event loop: a look of four seconds is a tenth of what passes."""
    streams = Streams()
    streams._open = 1
    sent: list[tuple[float, bytes]] = []

    async def found() -> AsyncIterator[tuple[list[Sent], str]]:
        for _ in range(2):
            await asyncio.sleep(4)
            yield [("title", "x")], "x-1"

    async def send(data: bytes) -> None:
        sent.append((asyncio.get_running_loop().time(), data))

    await streams.follow(found(), send)
    title = event("title", "x", at="x-1")
    assert sent == [(4, title), (19, ALIVE), (34, ALIVE), (48, title), (63, ALIVE), (78, ALIVE)]
    assert looptime == 88


@pytest.mark.looptime
async def test_silent_stream_shows_that_it_lives() -> None:
    """By an event, which a script can see; so that both ends know who is gone, after a sleep too."""
    sent: list[float] = []

    async def found() -> AsyncIterator[tuple[list[Sent], str]]:
        while asyncio.get_running_loop().time() < 40:
            yield [], ""

    async def send(data: bytes) -> None:
        assert data == ALIVE
        sent.append(asyncio.get_running_loop().time())

    await Streams().follow(found(), send)
    assert sent == [15, 30]
