"""The watch against a server that ends, cuts, lies and falls silent."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest
from aiohttp import web
from tests.kube.objects import CONFIG_MAPS
from tests.kube.server import (
    ScriptedWatch,
    bookmark,
    event,
    json_answer,
    listing,
    named,
    status_body,
    talking_to,
)

from nopea.kube.client import KubeClient
from nopea.kube.errors import ForbiddenError, GoneError, ServerError, UnreachableError
from nopea.kube.watch import Changed, Deleted, Event, Synced, Timing, WatchHealth, list_and_watch
from nopea.logs import JsonFormatter
from nopea.tasks import end, spawn

FAST = Timing(shortest=5, longest=6, grace=5, first_pause=0.01, longest_pause=0.05)


async def _take(
    script: Any, count: int, *, timing: Timing = FAST, health: WatchHealth | None = None
) -> list[str]:
    """Return the first events of a watch as words."""
    seen: list[str] = []
    async with (
        talking_to(script) as client,
        asyncio.timeout(20),
        aclosing(
            list_and_watch(client, CONFIG_MAPS, timing=timing, health=health or WatchHealth())
        ) as events,
    ):
        async for one in events:
            seen.append(_words(one))
            if len(seen) == count:
                break
    return seen


async def _next(events: AsyncGenerator[Event, None]) -> Event:
    return await anext(events)


async def _watch_for(client: KubeClient, seconds: float, *, timing: Timing) -> None:
    """Follow a watch for some time, whatever it says."""
    async with aclosing(list_and_watch(client, CONFIG_MAPS, timing=timing)) as events:
        try:
            async with asyncio.timeout(seconds):
                async for _ in events:
                    pass
        except TimeoutError:
            return


def _words(one: Event) -> str:
    match one:
        case Synced(objects):
            return f"synced {','.join(found.meta.name for found in objects)}"
        case Changed(found):
            return f"changed {found.meta.name}"
        case Deleted(found):
            return f"deleted {found.meta.name}"


async def test_an_ended_watch_goes_on_from_the_last_version() -> None:
    """After a normal end the watch resumes from the last event or bookmark, without a new list."""
    script = ScriptedWatch(
        [listing(5, named("a", 5))],
        [
            [event("ADDED", named("b", 6)), bookmark(9)],
            [event("MODIFIED", named("a", 10)), event("DELETED", named("b", 11))],
        ],
    )

    assert await _take(script, 4) == ["synced a", "changed b", "changed a", "deleted b"]
    assert script.asked[:3] == ["list", "watch 5", "watch 9"]


async def test_a_cut_watch_goes_on_from_the_last_version() -> None:
    """A connection that breaks in the middle of a line loses and repeats nothing."""
    line = event("ADDED", named("c", 7))
    script = ScriptedWatch(
        [listing(5)], [[event("ADDED", named("b", 6)), line[: len(line) // 2]], [line]], cut=True
    )

    assert await _take(script, 3) == ["synced ", "changed b", "changed c"]
    assert script.asked[:3] == ["list", "watch 5", "watch 6"]


async def test_gone_as_an_event_lists_again() -> None:
    """An ERROR event with code 410 leads to a new list, which the consumer sees as Synced."""
    gone = event("ERROR", status_body(410, "Expired", "too old resource version"))
    script = ScriptedWatch([listing(5, named("a", 5)), listing(20, named("z", 20))], [[gone]])

    assert await _take(script, 2) == ["synced a", "synced z"]


async def test_gone_as_a_status_lists_again() -> None:
    """HTTP 410 in answer to the watch leads to a new list."""
    watches = 0

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal watches
        if not request.query.get("watch"):
            return json_answer(listing(5 + watches))()
        watches += 1
        return json_answer(status_body(410, "Expired"), status=410)()

    health = WatchHealth()
    assert await _take(handler, 3, health=health) == ["synced ", "synced ", "synced "]
    assert health.lists == 3


async def test_a_gone_that_never_ends_is_not_a_busy_loop() -> None:
    """A server that answers 410 to every watch is asked at a slowing pace."""
    lists = 0

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal lists
        if not request.query.get("watch"):
            lists += 1
            return json_answer(listing(5))()
        return json_answer(status_body(410, "Expired"), status=410)()

    slow = Timing(shortest=5, longest=6, first_pause=0.1, longest_pause=5)
    async with talking_to(handler) as client:
        await _watch_for(client, 0.7, timing=slow)
    assert 2 <= lists <= 6


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_busy_server_is_not_listed_again(status: int) -> None:
    """Refusals for load keep the version: the watch resumes where it was."""
    calls: list[str] = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        if not request.query.get("watch"):
            calls.append("list")
            return json_answer(listing(5))()
        calls.append(request.query["resourceVersion"])
        if len(calls) < 4:
            return json_answer(status_body(status, "Busy"), status=status, Retry_After="0")()
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(event("ADDED", named("a", 6)))
        return response

    assert await _take(handler, 2) == ["synced ", "changed a"]
    assert calls[:4] == ["list", "5", "5", "5"]


async def test_an_error_event_is_a_pause_not_an_end() -> None:
    """An ERROR event that is not 410, and a line that is no event, are failures to resume from."""
    script = ScriptedWatch(
        [listing(5)],
        [
            [event("ADDED", named("a", 6)), event("ERROR", status_body(500, "InternalError"))],
            [b'{"type":"ADDED"}\n'],
            [event("ADDED", named("b", 7))],
        ],
    )

    assert await _take(script, 3) == ["synced ", "changed a", "changed b"]
    assert script.asked[:4] == ["list", "watch 5", "watch 6", "watch 6"]


async def test_big_lines_in_any_split() -> None:
    """An event of 3 MiB that comes in pieces is one event; small ones around it are not lost."""
    big = event("MODIFIED", named("big", 7, text="x" * 3 * 1024 * 1024))
    stream = event("ADDED", named("a", 6)) + big + event("ADDED", named("b", 8))
    pieces = [stream[i : i + 700_001] for i in range(0, len(stream), 700_001)]

    assert await _take(ScriptedWatch([listing(5)], [pieces]), 4) == [
        "synced ",
        "changed a",
        "changed big",
        "changed b",
    ]


async def test_an_endless_line_is_cut_off_and_listed_again() -> None:
    """A line beyond the bound ends the watch, not the process: what is there comes by a list."""
    flood = [b'{"type":"ADDED","object":{"x":"' + b"x" * 1024 * 1024] * 20
    health = WatchHealth()

    assert await _take(ScriptedWatch([listing(5), listing(9, named("a", 9))], [flood]), 2, health=health) == [
        "synced ",
        "synced a",
    ]


async def test_a_silent_connection_is_given_up() -> None:
    """A server that neither sends nor ends the watch is left after the watch's time and the grace."""
    quick = Timing(shortest=0.1, longest=0.1, grace=0.1, first_pause=0.01, longest_pause=0.02)
    script = ScriptedWatch([listing(5)], [])
    health = WatchHealth()
    async with talking_to(script) as client, asyncio.timeout(10):
        events = list_and_watch(client, CONFIG_MAPS, timing=quick, health=health)
        async with aclosing(events):
            assert isinstance(await anext(events), Synced)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.7):
                    await anext(events)
    assert script.asked.count("watch 5") >= 2
    assert isinstance(health.last_error, UnreachableError | None)


async def test_a_server_that_ends_every_watch_at_once_is_not_hammered() -> None:
    """Watches that end without an event in no time are spaced like failures."""
    script = ScriptedWatch([listing(5)], [[] for _ in range(500)])
    slow = Timing(shortest=5, longest=6, first_pause=0.1, longest_pause=5)
    async with talking_to(script) as client:
        await _watch_for(client, 0.7, timing=slow)
    assert script.asked.count("watch 5") <= 6


async def test_closing_the_stream_ends_the_connection() -> None:
    """The consumer owns the watch: when it closes it, the server sees the connection go."""
    script = ScriptedWatch([listing(5)], [])
    async with talking_to(script) as client, asyncio.timeout(10):
        async with aclosing(list_and_watch(client, CONFIG_MAPS, timing=FAST)) as events:
            await anext(events)
            waiting = spawn(_next(events), name="waiting")
            await script.opened.wait()
            await end(waiting)
        await script.closed.wait()


async def test_health_tells_forbidden_from_working(caplog: pytest.LogCaptureFixture) -> None:
    """A refused list keeps trying, is in the health, is logged once, and is forgotten when it works."""
    refusals = 5
    caplog.set_level(logging.INFO, logger="nopea.kube.watch")

    async def handler(_: web.BaseRequest) -> web.StreamResponse:
        nonlocal refusals
        if refusals:
            refusals -= 1
            return json_answer(status_body(403, "Forbidden"), status=403)()
        return json_answer(listing(5))()

    health = WatchHealth()
    async with (
        talking_to(handler) as client,
        asyncio.timeout(10),
        aclosing(list_and_watch(client, CONFIG_MAPS, timing=FAST, health=health)) as events,
    ):
        assert not health.synced
        await anext(events)

    assert health.synced
    assert health.last_error is None
    lines = [
        json.loads(JsonFormatter().format(record))
        for record in caplog.records
        if record.name.startswith("nopea")
    ]
    assert [line["message"] for line in lines] == ["watch interrupted", "watch works again"]
    assert "403" in lines[0]["error"]
    assert [line["resource"] for line in lines] == [str(CONFIG_MAPS)] * 2


async def test_lists_start_over_when_their_moment_is_gone() -> None:
    """A 410 between two chunks of a list starts the list over; three in a row are an error."""
    pages = [
        listing(5, named("old"), more="t1"),
        status_body(410, "Expired"),
        listing(6, named("a"), more="t2"),
        listing(6, named("b")),
    ]
    tokens: list[str] = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        tokens.append(request.query.get("continue", ""))
        body = pages[min(len(tokens), len(pages)) - 1]
        return json_answer(body, status=body.get("code", 200))()

    async with talking_to(handler) as client:
        found = await client.list(CONFIG_MAPS)
        assert [item.meta.name for item in found.items] == ["a", "b"]
        assert tokens == ["", "t1", "", "t2"]
        pages[:] = [status_body(410, "Expired")]
        with pytest.raises(GoneError):
            await client.list(CONFIG_MAPS)


async def test_a_list_that_is_no_list_is_an_error() -> None:
    """Something that answers 200 with other JSON does not pass for an empty cluster."""
    bodies: tuple[Any, ...] = (
        {},
        {"kind": "Status", "items": []},
        {"kind": "ConfigMapList", "items": []},
        [],
    )
    for body in bodies:

        async def handler(_: web.BaseRequest, body: Any = body) -> web.StreamResponse:
            return json_answer(body)()

        async with talking_to(handler) as client:
            with pytest.raises(ServerError):
                await client.list(CONFIG_MAPS)


def test_forbidden_is_not_retryable() -> None:
    """What a person must change is told from what time heals."""
    assert not ForbiddenError.retryable
    assert UnreachableError.retryable
