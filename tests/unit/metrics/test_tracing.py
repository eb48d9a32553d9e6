"""Traces: only if configured, with a warning if the extra is missing, and received by a real collector."""

from __future__ import annotations

import importlib.util
import logging
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from tests.fakes.samples import COMMIT, NOW, problem, report, repository, result_of

from nopea.core.api.status import GitRepositoryStatus
from nopea.core.status.report import Outcome, ReconcileReport, Result
from nopea.core.status.transition import Transition
from nopea.metrics.tracing import Tracer, tracer_from

HAS_OTEL = all(importlib.util.find_spec(name) for name in ("opentelemetry", "opentelemetry.sdk"))
"""Other packages bring the API without the SDK."""

needs_otel = pytest.mark.skipif(
    not HAS_OTEL, reason="the extra otel is not installed (pip install '.[otel]')"
)

THREADS_END_SECONDS = 30.0


def step(done: ReconcileReport | None) -> Transition:
    """Return the transition of a sync."""
    status = GitRepositoryStatus()
    return Transition(repository=repository(), before=status, after=status, report=done, at=NOW)


def test_without_an_endpoint_there_are_no_traces() -> None:
    """Without an endpoint there is no tracer."""
    assert tracer_from({}) is None
    assert tracer_from({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}) is None


def test_a_missing_extra_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The process continues without traces."""
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    for name in [name for name in sys.modules if name.startswith("opentelemetry.")]:
        monkeypatch.delitem(sys.modules, name)
    with caplog.at_level(logging.INFO):
        tracer = tracer_from({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"})

    assert tracer is None
    (line,) = caplog.records
    assert (line.levelname, line.getMessage()) == ("WARNING", "traces need the extra otel")


@asynccontextmanager
async def receiving(bodies: list[bytes]) -> AsyncIterator[str]:
    """Receive OTLP over HTTP on loopback; yield the endpoint."""

    async def take(request: web.Request) -> web.Response:
        bodies.append(await request.read())
        return web.Response(content_type="application/x-protobuf")

    app = web.Application()
    app.router.add_post("/v1/traces", take)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture(autouse=True)
def no_thread_left_behind() -> Iterator[None]:
    """Wait for the exporter's threads, because one that keeps retrying would affect other tests."""
    before = set(threading.enumerate())
    yield
    give_up_at = time.monotonic() + THREADS_END_SECONDS
    for thread in set(threading.enumerate()) - before:
        thread.join(max(give_up_at - time.monotonic(), 0.0))
        assert not thread.is_alive(), thread.name


def asked(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> Tracer:
    """Return a tracer for this endpoint."""
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    tracer = tracer_from(environment)
    assert tracer is not None
    return tracer


def spans_of(bodies: list[bytes]) -> list[Any]:
    """Return the spans in OTLP requests."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    requests = [ExportTraceServiceRequest.FromString(body) for body in bodies]
    return [
        span
        for request in requests
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


@needs_otel
async def test_each_sync_is_a_span(monkeypatch: pytest.MonkeyPatch) -> None:
    """A span has the times and facts of the report, and codes on failure; health checks have none."""
    bodies: list[bytes] = []
    async with receiving(bodies) as endpoint:
        tracer = asked(monkeypatch, endpoint)
        tracer.on_transition(step(report(objects=[result_of("a", Outcome.CREATED)])))
        tracer.on_transition(step(report(Result.FAILED, problems=[problem()])))
        tracer.on_transition(step(None))
        await tracer.close(10)

    well, failed = spans_of(bodies)
    facts = {one.key: one.value for one in well.attributes}
    assert well.name == "nopea.sync"
    assert well.start_time_unix_nano == int(NOW.timestamp()) * 10**9
    assert well.end_time_unix_nano - well.start_time_unix_nano == 1_500_000_000
    assert facts["nopea.repository"].string_value == "shop/api"
    assert facts["nopea.commit"].string_value == COMMIT.id
    assert facts["nopea.sync.result"].string_value == "synced"
    assert facts["nopea.objects.created"].int_value == 1
    assert (well.status.code, failed.status.code) == (0, 2)
    assert failed.status.message == "NOPEA-K003"


@needs_otel
async def test_a_silent_collector_does_not_block(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Recording more spans than the queue holds returns at once, and closing is bounded."""
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts connections and does not respond
        tracer = asked(monkeypatch, f"http://127.0.0.1:{silent.getsockname()[1]}")
        for _ in range(5_000):
            tracer.on_transition(step(report()))
        await tracer.close(0.2)

    assert "traces lost at shutdown" in caplog.text
