"""Events as kubectl shows them, and a recorder that never blocks its caller."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from tests.kube.objects import CONFIG_MAPS, config_map
from tests.kube.server import json_answer, named, status_body, talking_to

from nopea.kube import events as events_module
from nopea.kube.client import KubeClient
from nopea.kube.event_body import Regarding
from nopea.kube.events import EventRecorder, Pacing
from nopea.tasks import end, spawn
from nopea_lab.kubectl import Kubectl

ABOUT = Regarding(
    api_version="nopea.io/v1alpha1", kind="GitRepository", namespace="shop", name="web", uid="u1"
)


async def _finish(recorder: EventRecorder, running: asyncio.Task[None]) -> None:
    recorder.stop()
    async with asyncio.timeout(10):
        await running


async def _until_sent(recorder: EventRecorder) -> None:
    async with asyncio.timeout(10):
        while recorder._queue or not recorder._series:  # noqa: ASYNC110 - it has no signal for idle
            await asyncio.sleep(0.02)


async def test_repetitions_are_one_event(client: KubeClient, namespace: str, kubectl: Kubectl) -> None:
    """Three equal occurrences are one Event with a count of three, which kubectl shows with its object."""
    made = await client.apply(CONFIG_MAPS.at(name="a", namespace=namespace), config_map("a"))
    about = Regarding(api_version="v1", kind="ConfigMap", namespace=namespace, name="a", uid=made.meta.uid)
    recorder = EventRecorder(client)
    running = spawn(recorder.run(), name="events")

    for _ in range(3):
        recorder.record(about, type="Warning", reason="ApplyFailed", action="Apply", note="it did not work")
    recorder.record(about, type="Normal", reason="Synced", action="Apply", note="commit abc")
    await _finish(recorder, running)

    events = kubectl(
        "-n",
        namespace,
        "get",
        "events.v1.events.k8s.io",
        "-o",
        "jsonpath={range .items[*]}"
        "{.type} {.reason} {.series.count} {.regarding.name} {.reportingController} {.note}{'\\n'}{end}",
    )
    assert sorted(events.strip().split("\n")) == [
        "Normal Synced  a nopea.io/controller commit abc",
        "Warning ApplyFailed 3 a nopea.io/controller it did not work",
    ]
    described = kubectl("-n", namespace, "describe", "configmap", "a")
    assert "ApplyFailed" in described
    assert (recorder.dropped, recorder.failing) == (0, None)


async def test_long_notes_odd_names_and_cluster_scope(
    client: KubeClient, namespace: str, kubectl: Kubectl
) -> None:
    """A long note is cut between characters; odd names and cluster-scoped objects get Events as well."""
    recorder = EventRecorder(client)
    running = spawn(recorder.run(), name="events")
    odd = Regarding(
        api_version="rbac.authorization.k8s.io/v1", kind="Role", namespace=namespace, name="odd:Name"
    )
    wide = Regarding(api_version="v1", kind="Namespace", name=namespace)

    recorder.record(odd, type="Normal", reason="Synced", action="Apply", note="ö" * 2000)
    recorder.record(wide, type="Normal", reason="Synced", action="Apply", note="")
    await _finish(recorder, running)

    note = kubectl("-n", namespace, "get", "events.v1.events.k8s.io", "-o", "jsonpath={.items[0].note}")
    assert len(note.encode()) <= 1024
    assert note.endswith("ö…")
    selector = f"involvedObject.name={namespace}"
    names = kubectl("-n", "default", "get", "events", "--field-selector", selector, "-o", "name")
    assert "event/" in names
    assert recorder.dropped == 0


async def test_an_expired_event_is_created_again(
    client: KubeClient, namespace: str, kubectl: Kubectl
) -> None:
    """If the server has dropped the Event of a series, the next occurrence creates a new one."""
    about = Regarding(api_version="v1", kind="ConfigMap", namespace=namespace, name="a")
    recorder = EventRecorder(client, pacing=Pacing(refresh_seconds=0))
    running = spawn(recorder.run(), name="events")
    recorder.record(about, type="Normal", reason="Synced", action="Apply", note="x")
    await _until_sent(recorder)
    kubectl("-n", namespace, "delete", "events", "--all")

    recorder.record(about, type="Normal", reason="Synced", action="Apply", note="x")
    await _finish(recorder, running)

    assert kubectl("-n", namespace, "get", "events", "-o", "name").count("event/a.") == 1


async def test_a_full_queue_drops_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    """If no Event can be sent, recording continues, the queue stays bounded, and losses are counted."""
    monkeypatch.setattr(events_module, "QUEUE_LIMIT", 10)

    async def refuse(_: web.BaseRequest) -> web.StreamResponse:
        return json_answer(status_body(403, "Forbidden"), status=403)()

    async with talking_to(refuse) as client:
        recorder = EventRecorder(client)
        for number in range(25):
            recorder.record(ABOUT, type="Normal", reason="Synced", action="Apply", note=str(number))
        assert recorder.dropped == 15
        running = spawn(recorder.run(), name="events")
        await _finish(recorder, running)
    assert recorder.dropped == 25
    assert recorder.failing is not None


async def test_a_hanging_server_does_not_delay_the_shutdown(monkeypatch: pytest.MonkeyPatch) -> None:
    """After `stop`, the recorder ends within its time limit and counts the Events that were not sent."""
    monkeypatch.setattr(events_module, "FLUSH_SECONDS", 0.2)

    async def hang(_: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(60)
        return web.Response()

    async with talking_to(hang) as client:
        recorder = EventRecorder(client)
        running = spawn(recorder.run(), name="events")
        for number in range(3):
            recorder.record(ABOUT, type="Normal", reason="Synced", action="Apply", note=str(number))
        await asyncio.sleep(0.05)
        await _finish(recorder, running)
    assert recorder.dropped == 3


async def test_an_outage_is_retried() -> None:
    """If the API server is unavailable for a moment, the Event is sent again."""
    calls = 0

    async def flaky(_: web.BaseRequest) -> web.StreamResponse:
        nonlocal calls
        calls += 1
        if calls == 1:
            return json_answer(status_body(503, "ServiceUnavailable"), status=503)()
        return json_answer(named("e"), status=201)()

    async with talking_to(flaky) as client:
        recorder = EventRecorder(client)
        running = spawn(recorder.run(), name="events")
        recorder.record(ABOUT, type="Normal", reason="Synced", action="Apply", note="x")
        await _finish(recorder, running)
        await end(running)
    assert (calls, recorder.dropped) == (2, 0)
