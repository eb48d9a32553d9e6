"""Live updates: only what has changed is sent, and only to who may see it."""

from __future__ import annotations

import asyncio
import re
import time

import pytest
from aiohttp import web
from tests.fakes.dashboard import KnownSource, KnownViewer, drifted, failing, fine
from tests.fakes.dashboard_server import LOOK_SECONDS, Visitor, dashboard

from nopea.core.objects import RepoKey
from nopea.dashboard.board import Board
from nopea.dashboard.guard import RefusedRequestError
from nopea.dashboard.live import OverviewLook, Streams, event, overview_looks
from nopea.dashboard.pages.overview import Filter
from nopea.dashboard.source import DashboardError, Viewer


def _at(html: str) -> str:
    found = re.search(r'data-at="([^"]+)"', html)
    assert found
    return found[1]


async def _page(visitor: Visitor, path: str = "/") -> str:
    return _at((await visitor.get(path)).text)


async def test_only_the_changed_row_is_sent() -> None:
    """Of 500 rows one changes: one row comes, and the numbers above."""
    source = KnownSource()
    source.put(*(fine(f"r{number}") for number in range(500)))
    async with dashboard(source) as visitor:
        at = await _page(visitor)
        async with visitor.stream(f"/live?at={at}") as stream:
            assert await stream.is_silent()
        async with visitor.stream(f"/live?at={at}") as stream:
            source.put(failing("r7"))
            events = await stream.until("title")
        assert [name for name, _ in events] == ["row", "section", "section", "title"]
        assert 'id="row_shop_r7"' in events[0][1]
        assert events[-1][1] == "(1) Nopea"
        assert sum(len(data) for _, data in events) < 3_000


async def test_stream_continues_where_the_last_one_ended() -> None:
    """A browser sends the id of the last event; what changed meanwhile comes, and what is gone."""
    source = KnownSource()
    source.put(fine("a"), fine("b"), fine("c"))
    async with dashboard(source) as visitor:
        at = await _page(visitor)
        async with visitor.stream(f"/live?at={at}") as stream:
            source.put(failing("a"))
            await stream.until("title")
            last = stream.last_id
        source.put(failing("b"))
        del source.known[RepoKey("shop", "c")]
        async with visitor.stream(f"/live?at={at}", **{"Last-Event-ID": last}) as stream:
            events = await stream.until("title")
        assert [data for name, data in events if name == "gone"] == ["row_shop_c"]
        assert [re.findall(r'id="(row[^"]+)', data) for name, data in events if name == "row"] == [
            ["row_shop_b"]
        ]


async def test_row_that_no_longer_matches_the_filter_goes() -> None:
    """Also if it changed between the page and the stream; one that matches now comes."""
    source = KnownSource()
    source.put(failing("a"), fine("b"))
    async with dashboard(source) as visitor:
        at = await _page(visitor, "/?state=failing")
        source.put(fine("a"), failing("b"))
        async with visitor.stream(f"/live?state=failing&at={at}") as stream:
            events = await stream.until("title")
            assert [data for name, data in events if name == "gone"] == ["row_shop_a"]
            assert len([data for name, data in events if name == "row"]) == 1
            source.put(fine("b"))
            assert ("gone", "row_shop_b") in await stream.until("title")


async def test_nothing_of_other_namespaces_is_sent() -> None:
    """Neither rows, nor numbers, nor names of what is gone."""
    source = KnownSource()
    source.put(fine("a"), fine("secret", namespace="other"), fine("buried", namespace="other"))

    async def admit(request: web.Request) -> Viewer:
        del request
        return KnownViewer(namespaces={"shop"})

    async with dashboard(source, admit=admit) as visitor:
        page = await visitor.get("/")
        assert "secret" not in page.text
        assert "1 GitRepository" in page.text
        async with visitor.stream(f"/live?at={_at(page.text)}") as stream:
            source.put(failing("secret", namespace="other"))
            del source.known[RepoKey("other", "buried")]
            await asyncio.sleep(5 * LOOK_SECONDS)
            source.put(failing("a"))
            events = await stream.until("title")
        text = str(events)
        assert "secret" not in text
        assert "buried" not in text
        assert "1 of 1 GitRepository needs you." in text


async def test_viewer_who_loses_a_right_loses_the_rows() -> None:
    """Each look asks again; and one who is not admitted any more has to load the page."""
    source = KnownSource()
    source.put(fine("a"), fine("b", namespace="other"))
    viewer = KnownViewer()
    ended = False

    async def admit(request: web.Request) -> Viewer:
        del request
        if ended:
            raise RefusedRequestError(401, "Log in.")
        return viewer

    async with dashboard(source, admit=admit) as visitor:
        at = await _page(visitor)
        async with visitor.stream(f"/live?at={at}") as stream:
            assert await stream.is_silent(seconds=0.1)
            viewer.namespaces = {"shop"}
            assert await stream.next() == ("gone", "row_other_b")
        async with visitor.stream(f"/live?at={at}") as stream:
            ended = True
            assert (await stream.until("reload"))[-1] == ("reload", "")


async def test_cluster_that_cannot_say_who_may_see_what_sends_nothing() -> None:
    """The stream waits until it can."""
    source = KnownSource()
    source.put(fine("a"))
    viewer = KnownViewer()
    broken = False

    async def admit(request: web.Request) -> Viewer:
        del request
        if broken:
            raise DashboardError("No answer.")
        return viewer

    async with dashboard(source, admit=admit) as visitor:
        at = await _page(visitor)
        async with visitor.stream(f"/live?at={at}") as stream:
            assert await stream.is_silent(seconds=0.1)
            broken = True
            source.put(failing("a"))
            assert await stream.is_silent(seconds=0.2)
            broken = False
            assert (await stream.next())[0] == "row"


async def test_unknown_number_loads_the_page_again() -> None:
    """The process was started again, or the address is rubbish."""
    async with dashboard(KnownSource()) as visitor, visitor.stream("/live?at=rubbish") as stream:
        assert await stream.next() == ("reload", "")


async def test_repository_page_gets_the_sections_that_changed() -> None:
    """And is loaded again when the repository is gone."""
    source = KnownSource()
    source.put(fine("web"))
    async with dashboard(source) as visitor:
        at = await _page(visitor, "/r/shop/web")
        async with visitor.stream(f"/r/shop/web/live?page=details&at={at}") as stream:
            assert await stream.is_silent(seconds=0.1)
            source.put(drifted("web"))
            found = [re.findall(r'<section id="(\w+)"', (await stream.next())[1]) for _ in range(3)]
            assert found == [["head"], ["why"], ["drift"]]
            source.known.clear()
            assert await stream.next() == ("reload", "")


async def test_streams_are_bounded_and_end_when_the_server_does() -> None:
    """One too many is refused; the others end at once."""
    streams = Streams(most=1, look_seconds=30)
    source = KnownSource()
    source.put(fine("web"))
    async with dashboard(source, streams=streams) as visitor:
        at = await _page(visitor)
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


async def test_look_that_finds_nothing_new_is_quick() -> None:
    """A tenth of a millisecond or so for each hundred repositories: every open page looks once a second."""
    board = Board()
    everything = [fine(f"r{number}") for number in range(500)]
    board.look(everything)
    rows = board.rows()

    async def look(number: int) -> OverviewLook:
        board.look(everything)
        return OverviewLook(rows=rows, gone=(), number=number, namespaces=frozenset({"shop"}))

    looks = overview_looks(board, Filter(), board.at, look)
    await anext(looks)
    best = 1.0
    for _ in range(20):
        started = time.perf_counter()
        assert (await anext(looks))[0] == []
        best = min(best, time.perf_counter() - started)
    await looks.aclose()
    assert best < 0.002, best
