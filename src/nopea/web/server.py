"""The HTTP server: `GET /health`, `GET /ready` and the given routes. Never asks the cluster.

Broken requests are answered with 4xx and write no traceback into the log.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import EofStream
from aiohttp.web_protocol import PayloadAccessError

from nopea import log_events, tasks
from nopea.logs import Log
from nopea.web.idle import Handler, IdleConnections

log = Log(__name__)

HTTP_LOGGER = "nopea.web.http"
_BROKEN_REQUEST = (
    HttpProcessingError,
    web.RequestPayloadError,
    PayloadAccessError,
    EofStream,
    ConnectionError,
)
CLOSE_SECONDS = 2.0
KEEP_ALIVE_SECONDS = 75.0
LINGER_SECONDS = 2.0
"""How long the unread rest of a body is read, so that its sender sees the response."""


class ListenError(Exception):
    """Nopea cannot listen on the address. The message names it and says what to do."""


@asynccontextmanager
async def serving(
    *,
    host: str,
    port: int,
    why_not_ready: Callable[[], str],
    routes: Iterable[web.AbstractRouteDef] = (),
) -> AsyncIterator[int]:
    """Serve probes and routes while the context is open; yields the port (0 lets the system choose).

    `why_not_ready` returns the reason, or an empty string once the process is ready. Raises ListenError.
    """
    app = web.Application(client_max_size=64 * 1024)
    app.router.add_get("/health", _health)
    app.router.add_get("/ready", _Ready(why_not_ready).handle)
    app.router.add_routes(routes)
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=_http_logger(),
        shutdown_timeout=CLOSE_SECONDS,
        lingering_time=LINGER_SECONDS,
        keepalive_timeout=KEEP_ALIVE_SECONDS,
        auto_decompress=False,  # signatures cover the bytes as sent, and nothing can expand in memory
    )
    await runner.setup()
    server = runner.server
    assert server is not None  # noqa: S101 - setup makes it
    idle = IdleConnections()
    server.request_handler = idle.counting(_refusing_expectations(server.request_handler))
    watching = tasks.spawn(idle.run(server), name="idle connections")
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise ListenError(
                f"Cannot listen on {host}:{port}: {error.strerror}. Set another --host or --port."
            ) from error
        bound = int(runner.addresses[0][1])
        log.write(log_events.listening, host=host, port=bound)
        yield bound
    finally:
        await tasks.end(watching)
        async with asyncio.timeout(2 * CLOSE_SECONDS):
            await runner.cleanup()


async def _health(request: web.Request) -> web.Response:
    """Respond; this proves that the event loop runs. A core service that ends, ends the process."""
    del request
    return web.Response(text="ok\n")


class _Ready:
    def __init__(self, why_not_ready: Callable[[], str]) -> None:
        self._why_not_ready = why_not_ready

    async def handle(self, request: web.Request) -> web.Response:
        del request
        reason = self._why_not_ready()
        return (
            web.Response(text=f"not ready: {reason}\n", status=503)
            if reason
            else web.Response(text="ready\n")
        )


def _refusing_expectations(handler: Handler) -> Handler:
    """Return the handler of the server, with 417 for `Expect` headers other than `100-continue`.

    aiohttp quotes the header in its response, which fails for bytes that are not text: a 500 with traceback.
    """

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get("Expect", "100-continue").lower() != "100-continue":
            return web.Response(status=417, text="Only `Expect: 100-continue` is supported.\n")
        return await handler(request)

    return handle


class _WithoutBrokenRequests(logging.Filter):
    """Keeps exceptions of Nopea's handlers in the log; broken requests have been answered with 400."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        return not isinstance(error, _BROKEN_REQUEST)


def _http_logger() -> logging.Logger:
    """Return the logger for aiohttp's server."""
    logger = logging.getLogger(HTTP_LOGGER)
    if not any(isinstance(filter_, _WithoutBrokenRequests) for filter_ in logger.filters):
        logger.addFilter(_WithoutBrokenRequests())
    return logger
