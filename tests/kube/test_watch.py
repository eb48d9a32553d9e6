"""The watch, on a real API server and on servers that end it, send invalid data or stay silent."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from tests.kube.objects import CONFIG_MAPS, WIDGETS, config_map
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
from nopea.kube.errors import UnreachableError
from nopea.kube.load import load_config
from nopea.kube.requests import Selection
from nopea.kube.watch import (
    DEFAULT_TIMING,
    Changed,
    Deleted,
    Event,
    Synced,
    Timing,
    WatchHealth,
    list_and_watch,
)
from nopea.logs import JsonFormatter
from nopea.tasks import end, spawn
from nopea_lab.lab import Lab

FAST = Timing(shortest=20, longest=30, grace=5, first_pause=0.05, longest_pause=0.5)
FASTER = Timing(shortest=5, longest=6, grace=5, first_pause=0.01, longest_pause=0.05)


class Mirror:
    """A consumer's state: the names and values from the events so far."""

    def __init__(self, events: AsyncGenerator[Event, None]) -> None:
        self._events = events
        self.values: dict[str, str] = {}
        self.kinds: list[str] = []

    async def until(self, wanted: dict[str, str]) -> None:
        """Read events until the state equals `wanted`."""
        async with asyncio.timeout(60):
            while self.values != wanted:
                self._take(await anext(self._events))

    def _take(self, event: Event) -> None:
        self.kinds.append(type(event).__name__)
        match event:
            case Synced(objects):
                self.values = {object_.meta.name: _value(object_.json()) for object_ in objects}
            case Changed(object_):
                self.values[object_.meta.name] = _value(object_.json())
            case Deleted(object_):
                del self.values[object_.meta.name]


def _value(body: dict[str, dict[str, str]]) -> str:
    return body.get("data", {}).get("v", "")[:20]


@asynccontextmanager
async def _mirror(
    client: KubeClient, selection: Selection, *, timing: Timing = FAST, health: WatchHealth | None = None
) -> AsyncIterator[Mirror]:
    events = list_and_watch(client, CONFIG_MAPS, selection, timing=timing, health=health)
    async with aclosing(events):
        yield Mirror(events)


async def _put(client: KubeClient, namespace: str, name: str, value: str, **labels: str) -> None:
    body = config_map(name, labels=labels or {"app": "web"}, v=value)
    await client.apply(CONFIG_MAPS.at(name=name, namespace=namespace), body)


async def test_changes_arrive(client: KubeClient, namespace: str) -> None:
    """Existing objects arrive first, then every creation, change and deletion."""
    await _put(client, namespace, "a", "1")
    async with _mirror(client, Selection(namespace=namespace, labels="app=web")) as mirror:
        await mirror.until({"a": "1"})
        await _put(client, namespace, "b", "1")
        await _put(client, namespace, "a", "2")
        await mirror.until({"a": "2", "b": "1"})
        await client.delete(CONFIG_MAPS.at(name="a", namespace=namespace))
        await mirror.until({"b": "1"})

    assert mirror.kinds == ["Synced", "Changed", "Changed", "Deleted"]


async def test_an_object_that_leaves_the_selection_is_deleted(client: KubeClient, namespace: str) -> None:
    """Removing the label is a Deleted event; adding it is a Changed event."""
    async with _mirror(client, Selection(namespace=namespace, labels="app=web")) as mirror:
        await _put(client, namespace, "a", "1", app="other")
        await _put(client, namespace, "a", "1", app="web")
        await mirror.until({"a": "1"})
        await _put(client, namespace, "a", "1", app="other")
        await mirror.until({})


async def test_only_metadata(client: KubeClient, namespace: str) -> None:
    """A metadata watch has the labels of an object, but not its data."""
    selection = Selection(namespace=namespace, labels="app=web", metadata_only=True)
    async with asyncio.timeout(20), aclosing(list_and_watch(client, CONFIG_MAPS, selection)) as events:
        assert await anext(events) == Synced(())
        await _put(client, namespace, "a", "1")
        event = await anext(events)

    assert isinstance(event, Changed)
    assert event.object.meta.labels == {"app": "web"}
    assert "data" not in event.object.json()


async def test_big_objects(client: KubeClient, namespace: str) -> None:
    """Objects of 900 KiB, whose events are lines longer than 512 KiB, arrive complete by list and watch."""
    big = "x" * 900 * 1024
    selection = Selection(namespace=namespace, labels="app=web")
    await _put(client, namespace, "a", big)
    async with _mirror(client, selection) as mirror:
        await mirror.until({"a": big[:20]})
        for name in ("b", "c"):
            await _put(client, namespace, name, big)
        await mirror.until(dict.fromkeys("abc", big[:20]))

    listed = await client.list(CONFIG_MAPS, selection)
    assert all(len(object_.json()["data"]["v"]) == len(big) for object_ in listed.items)


async def test_the_server_ends_watches(client: KubeClient, namespace: str) -> None:
    """Watches that the server ends every second lose no event, and the objects are listed only once."""
    health = WatchHealth()
    brief = Timing(shortest=1, longest=1, grace=5, first_pause=0.05, longest_pause=0.1)
    selection = Selection(namespace=namespace, labels="app=web")
    async with _mirror(client, selection, timing=brief, health=health) as mirror:
        wanted: dict[str, str] = {}
        for number in range(5):
            await _put(client, namespace, f"n{number}", str(number))
            wanted[f"n{number}"] = str(number)
            await mirror.until(wanted)
            await asyncio.sleep(0.5)  # the server ends the watch every second

    assert health.lists == 1


async def _namespace(lab: Lab) -> str:
    name = f"w{secrets.token_hex(3)}"
    await asyncio.to_thread(lab.request, "POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    return name


async def test_a_watch_survives_a_restart_of_the_api_server(private_lab: Lab) -> None:
    """After a kill and a restart of the API server, the same stream continues with the current objects."""
    namespace = await _namespace(private_lab)
    health = WatchHealth()
    selection = Selection(namespace=namespace, labels="app=web")
    async with (
        KubeClient(load_config(private_lab.kubeconfig)) as client,
        _mirror(client, selection, health=health) as mirror,
    ):
        await _put(client, namespace, "a", "1")
        await mirror.until({"a": "1"})
        following = spawn(mirror.until({"a": "1", "b": "1"}), name="following")
        await asyncio.to_thread(private_lab.kill_apiserver)
        await asyncio.sleep(0.5)  # for the watch to notice
        assert isinstance(health.last_error, UnreachableError)
        with pytest.raises(UnreachableError):
            await client.read("/version")

        await asyncio.to_thread(private_lab.start_apiserver)
        await _put(client, namespace, "b", "1")
        await following

    assert health.last_error is None


async def test_an_expired_version_is_listed_again(private_lab: Lab) -> None:
    """If the resourceVersion has expired (410), all objects arrive again as Synced."""
    namespace = await _namespace(private_lab)
    health = WatchHealth()
    selection = Selection(namespace=namespace, labels="app=web")
    async with (
        KubeClient(load_config(private_lab.kubeconfig)) as client,
        _mirror(client, selection, health=health) as mirror,
    ):
        await _put(client, namespace, "a", "1")
        await mirror.until({"a": "1"})
        # the consumer does not read while the object is deleted and the history of its deletion is compacted
        await client.delete(CONFIG_MAPS.at(name="a", namespace=namespace))
        await asyncio.to_thread(private_lab.expire_watches)
        await _put(client, namespace, "b", "2")
        await mirror.until({"b": "2"})

    assert health.lists == 2
    assert mirror.kinds.count("Synced") == 2
    assert health.last_error is None


async def test_a_kind_that_is_not_served(client: KubeClient, namespace: str) -> None:
    """A watch of an unserved kind reports the error in its health and keeps retrying."""
    health = WatchHealth()
    events = list_and_watch(client, WIDGETS, Selection(namespace=namespace), timing=FAST, health=health)
    async with aclosing(events), asyncio.timeout(30):
        following = spawn(_next(events), name="following")
        while health.last_error is None:  # noqa: ASYNC110 - it has no signal
            await asyncio.sleep(0.01)
        assert not following.done()
        await end(following)

    assert not health.synced
    assert health.last_error.code == 404


async def _take(
    script: Any, count: int, *, timing: Timing = FASTER, health: WatchHealth | None = None
) -> list[str]:
    """Return the first events of a watch as text."""
    seen: list[str] = []
    async with (
        talking_to(script) as client,
        asyncio.timeout(20),
        aclosing(
            list_and_watch(client, CONFIG_MAPS, timing=timing, health=health or WatchHealth())
        ) as events,
    ):
        async for change in events:
            seen.append(_words(change))
            if len(seen) == count:
                break
    return seen


async def _next(events: AsyncGenerator[Event, None]) -> Event:
    return await anext(events)


async def _watch_for(
    client: KubeClient, seconds: float, *, timing: Timing, health: WatchHealth | None = None
) -> None:
    """Follow a watch for some seconds and ignore its events."""
    async with aclosing(list_and_watch(client, CONFIG_MAPS, timing=timing, health=health)) as events:
        try:
            async with asyncio.timeout(seconds):
                async for _ in events:
                    pass
        except TimeoutError:
            return


def _words(change: Event) -> str:
    match change:
        case Synced(objects):
            return f"synced {','.join(object_.meta.name for object_ in objects)}"
        case Changed(object_):
            return f"changed {object_.meta.name}"
        case Deleted(object_):
            return f"deleted {object_.meta.name}"


async def test_an_ended_watch_continues_from_the_last_version() -> None:
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


async def test_a_broken_watch_continues_from_the_last_version() -> None:
    """A connection that breaks in the middle of a line loses and repeats no event."""
    line = event("ADDED", named("c", 7))
    script = ScriptedWatch(
        [listing(5)], [[event("ADDED", named("b", 6)), line[: len(line) // 2]], [line]], cut=True
    )

    assert await _take(script, 3) == ["synced ", "changed b", "changed c"]
    assert script.asked[:4] == ["list", "watch 5", "check b", "watch 6"]


_CHANGED, _DELETED = event("MODIFIED", named("a", 510)), event("DELETED", named("a", 510))


@pytest.mark.parametrize(
    ("last", "checked"),
    [
        (_CHANGED, listing(20, named("a", 7))),
        (_CHANGED, listing(600, named("a", 7))),  # other changes have brought it to a later version again
        (_CHANGED, listing(600)),
        (_DELETED, listing(600, named("a", 7))),
        (_CHANGED, status_body(400, "BadRequest", "field label not supported")),
    ],
)
async def test_a_server_that_was_restored_from_a_backup_is_listed_again(last: bytes, checked: Any) -> None:
    """Objects have lower versions than before; the watch from the last one would say nothing about them."""
    script = ScriptedWatch(
        [listing(500, named("a", 500)), listing(600, named("a", 7))],
        [[last, b"{"], [event("ADDED", named("b", 601))]],
        cut=True,
        checked=checked,
    )

    seen = await _take(script, 4)

    assert seen[2:] == ["synced a", "changed b"]
    assert script.asked[:5] == ["list", "watch 500", "check a", "list", "watch 600"]


@pytest.mark.parametrize(
    ("last", "checked"),
    [
        (_CHANGED, listing(600, named("a", 510))),
        (_CHANGED, listing(600, named("a", 550))),
        (_DELETED, listing(600)),
        (_DELETED, listing(600, named("a", 550))),
        (_CHANGED, {**listing(0), "metadata": {"resourceVersion": "unknown"}}),
    ],
)
async def test_a_server_that_was_away_is_not_listed_again(last: bytes, checked: Any) -> None:
    """It still has the last change that was seen, or a later one of that object."""
    script = ScriptedWatch(
        [listing(500, named("a", 500))],
        [[last, b"{"], [event("ADDED", named("b", 601))]],
        cut=True,
        checked=checked,
    )

    assert (await _take(script, 3))[2:] == ["changed b"]
    assert script.asked[:4] == ["list", "watch 500", "check a", "watch 510"]


async def test_a_watch_that_has_seen_nothing_lists_again() -> None:
    """A list of no objects costs no more than a question would."""
    script = ScriptedWatch([listing(5)], [[b"{"], [event("ADDED", named("b", 7))]], cut=True)

    assert await _take(script, 3) == ["synced ", "synced ", "changed b"]
    assert script.asked[:4] == ["list", "watch 5", "list", "watch 5"]


async def test_a_410_event_lists_again() -> None:
    """An ERROR event with code 410 leads to a new list, which the consumer sees as Synced."""
    gone = event("ERROR", status_body(410, "Expired", "too old resource version"))
    script = ScriptedWatch([listing(5, named("a", 5)), listing(20, named("z", 20))], [[gone]])

    assert await _take(script, 2) == ["synced a", "synced z"]


async def test_a_410_status_lists_again() -> None:
    """HTTP 410 in response to the watch request leads to a new list."""
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


async def test_a_permanent_410_is_not_a_busy_loop() -> None:
    """A server that answers 410 to every watch is asked with growing delays."""
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
    """After refusals because of load, the watch resumes from its version without a new list."""
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


async def test_a_watch_resumes_after_an_error_event() -> None:
    """After an ERROR event other than 410, or a line that is not an event, the watch resumes."""
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
    """An event of 3 MiB that arrives in pieces is one event; small events around it are not lost."""
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
    """A line over the size limit ends the watch, and a new list returns the objects."""
    flood = [b'{"type":"ADDED","object":{"x":"' + b"x" * 1024 * 1024] * 20
    health = WatchHealth()

    assert await _take(ScriptedWatch([listing(5), listing(9, named("a", 9))], [flood]), 2, health=health) == [
        "synced ",
        "synced a",
    ]


async def test_a_silent_connection_is_closed() -> None:
    """A connection on which nothing arrives is closed after the watch's timeout and the grace period."""
    quick = Timing(shortest=0.1, longest=0.1, grace=0.1, first_pause=0.01, longest_pause=0.02)
    script = ScriptedWatch([listing(5)], [])
    await _is_current_after(script, 3, timing=quick)
    assert script.asked.count("watch 5") == 2


async def test_silence_is_noticed_without_waiting_for_the_end_of_the_watch(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A watch without bookmarks is opened again, which is no failure if the server answers."""
    caplog.set_level(logging.INFO, logger="nopea.kube.watch")
    quick = Timing(shortest=60, longest=60, silence=0.2, first_pause=0.01, longest_pause=0.02)
    script = ScriptedWatch([listing(5, named("a", 5))], [])
    expected = ["list", "watch 5", "check a", "watch 5", "check a"]

    assert await _is_current_after(script, len(expected), timing=quick)
    assert script.asked[: len(expected)] == expected
    assert caplog.records == []


async def test_after_silence_and_no_answer_the_objects_are_stale() -> None:
    """The connection is dead: what it said last is believed for `stale_after` from then on."""
    quick = Timing(
        shortest=60, longest=60, silence=0.2, stale_after=0.1, first_pause=0.01, longest_pause=0.02
    )
    script = ScriptedWatch([listing(5)], [])

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        if "watch 5" in script.asked:
            await asyncio.sleep(3600)
        return await script(request)

    health = WatchHealth()
    async with talking_to(handler) as client, asyncio.timeout(10):
        watching = spawn(_watch_for(client, 10, timing=quick, health=health), name="watching")
        while not health.is_current:  # noqa: ASYNC110 - it has no signal
            await asyncio.sleep(0.01)
        begun = asyncio.get_running_loop().time()
        while health.is_current:  # noqa: ASYNC110 - it has no signal
            await asyncio.sleep(0.01)
        assert asyncio.get_running_loop().time() - begun < 1
        await end(watching)


def test_the_api_server_sends_three_bookmarks_before_silence_counts() -> None:
    """It sends one every 60 s (measured on Kubernetes 1.36: 59 s to 62 s)."""
    assert DEFAULT_TIMING.silence == 3 * 60
    assert DEFAULT_TIMING.stale_after <= 10


async def _is_current_after(script: ScriptedWatch, requests: int, *, timing: Timing) -> bool:
    """Follow a scripted watch until it has sent so many requests, and return whether it is current then."""
    health = WatchHealth()
    async with talking_to(script) as client, asyncio.timeout(30):
        watching = spawn(_watch_for(client, 60, timing=timing, health=health), name="watching")
        while len(script.asked) < requests:  # noqa: ASYNC110 - it has no signal
            await asyncio.sleep(0.01)
        is_current = health.is_current
        await end(watching)
    return is_current


async def test_a_server_that_ends_every_watch_at_once_is_not_overloaded() -> None:
    """Watches that end immediately without an event are retried with delays, like failures."""
    script = ScriptedWatch([listing(5)], [[] for _ in range(500)])
    slow = Timing(shortest=5, longest=6, first_pause=0.1, longest_pause=5)
    async with talking_to(script) as client:
        await _watch_for(client, 0.7, timing=slow)
    assert script.asked.count("watch 5") <= 6


async def test_closing_the_stream_ends_the_connection() -> None:
    """When the consumer closes the stream, the connection to the server is closed."""
    script = ScriptedWatch([listing(5)], [])
    async with talking_to(script) as client, asyncio.timeout(10):
        async with aclosing(list_and_watch(client, CONFIG_MAPS, timing=FASTER)) as events:
            await anext(events)
            waiting = spawn(_next(events), name="waiting")
            await script.opened.wait()
            await end(waiting)
        await script.closed.wait()


async def test_health_reports_a_forbidden_list(caplog: pytest.LogCaptureFixture) -> None:
    """A forbidden list is retried, logged once, and no longer reported in the health when it works."""
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
        aclosing(list_and_watch(client, CONFIG_MAPS, timing=FASTER, health=health)) as events,
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


@pytest.mark.parametrize(("status", "stale_after"), [(403, 60.0), (404, 60.0), (500, 0.1)])
async def test_a_failing_watch_becomes_stale(status: int, stale_after: float) -> None:
    """A refusal makes the objects stale at once, and an outage after a while, until the watch works again."""
    failing = True
    timing = Timing(
        shortest=5, longest=6, grace=5, first_pause=0.01, longest_pause=0.05, stale_after=stale_after
    )

    health = WatchHealth()
    watching = False
    stale = asyncio.Event()

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        if watching and not health.is_current:  # the request that ends this is the one that is served here
            stale.set()
        if not request.query.get("watch"):
            return json_answer(listing(5))()
        if failing:
            return json_answer(status_body(status, "Refused"), status=status)()
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(event("ADDED", named("a", 6)))
        await asyncio.sleep(60)
        return response

    async with (
        talking_to(handler) as client,
        asyncio.timeout(10),
        aclosing(list_and_watch(client, CONFIG_MAPS, timing=timing, health=health)) as events,
    ):
        await anext(events)
        assert health.is_current
        watching = True
        following = spawn(_next(events), name="following")
        await stale.wait()
        failing = False
        while not isinstance(await following, Changed):
            following = spawn(_next(events), name="following")
        assert health.is_current


async def test_a_short_outage_does_not_make_the_objects_stale() -> None:
    """After a short outage, the objects are not stale, so they need not be read again."""
    script = ScriptedWatch(
        [listing(5)], [[event("ADDED", named("a", 6))], [event("ADDED", named("b", 7))]], cut=True
    )
    health = WatchHealth()

    await _take(script, 3, health=health)

    assert health.is_current
