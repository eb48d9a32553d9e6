"""Optional OpenTelemetry traces: a span for each sync, sent in the background to an OTLP/HTTP collector.

Only if the standard variables name an endpoint and the extra `otel` is installed. Never blocks: spans wait in
a bounded queue, and are lost when it is full.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from nopea import __version__, log_events
from nopea.core.secret import mask_url
from nopea.core.status.report import Outcome, ReconcileReport
from nopea.core.status.transition import Transition
from nopea.logs import Log

log = Log(__name__)

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""The variables that enable traces; the exporter reads these and others (headers, timeout)."""

MOST_SPANS = 2_048
SEND_EVERY_MILLISECONDS = 2_000


class Tracer:
    """Turns syncs into spans; `close` sends the queued ones."""

    def __init__(self, provider: Any) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("nopea", __version__)

    def on_transition(self, transition: Transition) -> None:
        """Create the span of the sync of a transition, if there was one."""
        from opentelemetry.trace import Status, StatusCode

        report = transition.report
        if report is None:
            return
        ended_at = report.started_at + timedelta(seconds=report.seconds)
        span = self._tracer.start_span(
            "nopea.sync",
            start_time=_nanoseconds(report.started_at.timestamp()),
            attributes=_attributes(str(transition.repository.key), report),
        )
        if report.problems:
            span.set_status(Status(StatusCode.ERROR, " ".join(report.codes)))
        span.end(_nanoseconds(ended_at.timestamp()))

    async def close(self, seconds: float) -> None:
        """Send the queued spans within `seconds`; the rest is lost."""
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()

        def shut_down() -> None:
            self._provider.shutdown()
            with contextlib.suppress(RuntimeError):  # the loop is closed already
                loop.call_soon_threadsafe(ended.set)

        # its own thread: the loop would wait for one of its own without a bound
        threading.Thread(target=shut_down, name="traces", daemon=True).start()
        try:
            async with asyncio.timeout(seconds):
                await ended.wait()
        except TimeoutError:
            log.write(log_events.traces_lost, seconds=seconds)


def tracer_from(environment: Mapping[str, str]) -> Tracer | None:
    """Return the tracer that the environment asks for; None, with a warning, if the extra is missing."""
    endpoint = next((environment[name] for name in ENDPOINTS if environment.get(name)), "")
    if not endpoint:
        return None
    try:
        provider = _provider(environment)
    except ImportError as error:
        log.write(log_events.traces_need_otel, install="pip install 'nopea[otel]'", error=str(error))
        return None
    log.write(log_events.sending_traces, endpoint=mask_url(endpoint))
    return Tracer(provider)


def _provider(environment: Mapping[str, str]) -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    named = {} if environment.get("OTEL_SERVICE_NAME") else {"service.name": "nopea"}
    resource = Resource.create({**named, "service.version": __version__})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(
        BatchSpanProcessor(
            OTLPSpanExporter(), max_queue_size=MOST_SPANS, schedule_delay_millis=SEND_EVERY_MILLISECONDS
        )
    )
    return provider


def _attributes(repository: str, report: ReconcileReport) -> dict[str, Any]:
    counts = {f"nopea.objects.{outcome}": report.count(outcome) for outcome in Outcome}
    return {
        "nopea.repository": repository,
        "nopea.sync.id": report.id,
        "nopea.sync.result": str(report.result),
        "nopea.sync.triggers": report.triggers,
        "nopea.commit": report.commit.id if report.commit else "",
        "nopea.problem.codes": tuple(map(str, report.codes)),
        **counts,
    }


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1_000_000_000)
