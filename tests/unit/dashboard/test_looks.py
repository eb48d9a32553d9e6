"""What an open page is told: only what has changed, and only to who may see it."""

from __future__ import annotations

import asyncio
import re
import sys

import pytest
from aiohttp import web
from tests.fakes.dashboard import KnownSource, KnownViewer, drifted, failing, fine
from tests.fakes.dashboard_server import LOOK_SECONDS, dashboard

from nopea.core.objects import RepoKey
from nopea.dashboard import looks as module
from nopea.dashboard.board import Board, Told
from nopea.dashboard.guard import RefusedRequestError
from nopea.dashboard.looks import (
    OverviewLook,
    Sections,
    overview_looks,
    section_looks,
)
from nopea.dashboard.pages.overview import Filter
from nopea.dashboard.pages.render import DETAILS, SiteInfo
from nopea.dashboard.source import ControllerState, DashboardError, Viewer

TOLD = Told(ControllerState(True, "It runs."), "")


def _at(html: str) -> str:
    found = re.search(r'data-at="([^"]+)"', html)
    assert found
    return found[1]


async def test_only_the_changed_row_is_sent() -> None:
    """Of 500 rows one changes: one row comes, and the numbers above."""
    source = KnownSource()
    source.put(*(fine(f"r{number}") for number in range(500)))
    async with dashboard(source) as visitor:
        at = await visitor.at()
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
        at = await visitor.at()
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
        at = await visitor.at("/?state=failing")
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
        at = await visitor.at()
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
        at = await visitor.at()
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
        at = await visitor.at("/r/shop/web")
        async with visitor.stream(f"/r/shop/web/live?page=details&at={at}") as stream:
            assert await stream.is_silent(seconds=0.1)
            source.put(drifted("web"))
            found = [re.findall(r'<section id="(\w+)"', (await stream.next())[1]) for _ in range(3)]
            assert found == [["head"], ["why"], ["drift"]]
            source.known.clear()
            assert await stream.next() == ("reload", "")


async def test_look_that_finds_nothing_new_makes_nothing() -> None:
    """Every open page looks once a second: then no row is sorted, and no HTML is written."""
    board = Board()
    everything = [fine(f"r{number}") for number in range(500)]
    board.look(everything, TOLD)
    rows = board.rows()

    async def look(number: int) -> OverviewLook:
        board.look(everything, TOLD)
        return OverviewLook(
            rows=rows, gone=(), number=number, namespaces=frozenset({"shop"}), site=SiteInfo()
        )

    looks = overview_looks(board, Filter(), board.at, look)
    await anext(looks)
    called: list[str] = []
    sys.setprofile(lambda frame, what, _: called.append(frame.f_code.co_name) if what == "call" else None)
    try:
        assert (await anext(looks))[0] == []
    finally:
        sys.setprofile(None)
    await looks.aclose()
    assert "look" in called
    assert not {"overview", "row_of", "_render"}.intersection(called)


async def test_open_pages_are_told_that_what_they_show_may_be_old() -> None:
    """On the overview and on a page of a repository; and when it is current again."""
    source = KnownSource()
    source.put(fine("web"))
    async with dashboard(source) as visitor:
        for page, live in (("/", "/live?"), ("/r/shop/web/timeline", "/r/shop/web/live?page=timeline&")):
            at = await visitor.at(page)
            async with visitor.stream(f"{live}at={at}") as stream:
                assert await stream.is_silent(seconds=0.1)
                source.old = "The watch is interrupted."
                assert "The watch is interrupted." in (await stream.until("section"))[-1][1]
                source.old = ""
                while 'id="old"' not in (html := (await stream.next())[1]):
                    pass
                assert "interrupted" not in html


async def test_page_that_was_made_while_the_watch_worked_is_told_when_it_comes_back() -> None:
    """A tab in the background has no stream: what has been told meanwhile comes with the next one."""
    source = KnownSource()
    async with dashboard(source) as visitor:
        at = await visitor.at()
        source.state = ControllerState(False, "No controller runs.")
        async with visitor.stream(f"/live?at={at}") as stream:
            events = await stream.until("title")
    assert any('id="controller"' in html and "No controller runs." in html for _, html in events)


async def test_page_that_lacks_something_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Although its repository does not change: the API server answers again."""
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.0)
    source = KnownSource(incomplete="The API server does not answer.")
    source.put(fine("web"))
    async with dashboard(source) as visitor:
        page = (await visitor.get("/r/shop/web")).text
        live = re.findall(r'data-live="([^"]+)"', page)[0].replace("&amp;", "&")
        async with visitor.stream(f"{live}&at={_at(page)}") as stream:
            first = [(await stream.next())[1] for _ in DETAILS]
            assert any("does not answer" in html for html in first)
            source.incomplete = ""
            html = (await stream.next())[1]
            assert 'id="objects"' in html
            assert "does not answer" not in html
            assert await stream.is_silent(seconds=0.1)
        assert "again=1" not in (await visitor.get("/r/shop/web")).text


async def test_page_goes_on_from_what_it_was_made_of() -> None:
    """What changes while the sections are made comes with the next look, of the next stream too."""
    board, key = Board(), RepoKey("shop", "web")
    board.look([fine("web")], TOLD)
    first = board.at
    old = Sections(parts={"head": "old"}, at=first)

    async def sections() -> Sections:
        board.look([failing("web", message="x"), fine("other")], TOLD)
        return old

    looks = section_looks(board, key, first, sections)
    assert (await anext(looks))[1] == first
    await looks.aclose()
