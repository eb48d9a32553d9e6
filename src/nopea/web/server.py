"""The HTTP servers: a port for probes and metrics, one for webhooks, whose flood cannot stop the first.

A third is for what the API server reports of writes, if users are recorded.

Broken requests are answered with 4xx and write no traceback into the log.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import EofStream
from aiohttp.typedefs import Middleware
from aiohttp.web_protocol import PayloadAccessError

from nopea import log_events, tasks
from nopea.logs import Log
from nopea.web.connections import PROBES, USERS, Bound, Connections, Handler
from nopea.web.handshakes import TlsSite

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedPort:
    """What one port serves, in a word for the log, and the option that sets it. 0: the system chooses one."""

    serves: str
    host: str
    port: int
    option: str
    routes: Sequence[web.AbstractRouteDef]
    bound: Bound
    middlewares: Sequence[Middleware] = ()
    tls: ssl.SSLContext | None = None


@asynccontextmanager
async def listening(listener: ServedPort) -> AsyncIterator[int]:
    """Serve the routes of a listener while the context is open; yields the port. Raises ListenError."""
    app = web.Application(client_max_size=64 * 1024, middlewares=listener.middlewares)
    app.router.add_routes(listener.routes)
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
    server.request_handler = _refusing_expectations(server.request_handler)
    connections = Connections(listener.bound)
    connections.guard(server)
    watching = tasks.spawn(connections.run(), name=f"idle connections of {listener.serves}")
    try:
        try:
            await _site(runner, listener, connections).start()
        except OSError as error:
            raise ListenError(
                f"Cannot listen on {listener.host}:{listener.port}: {error.strerror}. "
                f"Set another --host or {listener.option}."
            ) from error
        bound = int(runner.addresses[0][1])
        log.write(log_events.listening, serves=listener.serves, host=listener.host, port=bound)
        yield bound
    finally:
        await tasks.end(watching)
        async with asyncio.timeout(2 * CLOSE_SECONDS):
            await runner.cleanup()


def _site(runner: web.AppRunner, listener: ServedPort, connections: Connections) -> web.BaseSite:
    if listener.tls is None:
        return web.TCPSite(runner, listener.host, listener.port)
    return TlsSite(runner, listener.host, listener.port, connections=connections, context=listener.tls)


def probe_listener(
    *, host: str, port: int, why_not_ready: Callable[[], str], routes: Iterable[web.AbstractRouteDef] = ()
) -> ServedPort:
    """Return the listener of the probes and of the given routes: those of the metrics.

    `why_not_ready` returns the reason, or an empty string once the process is ready.
    """
    own = (web.get("/health", _health), web.get("/ready", _Ready(why_not_ready).handle))
    return ServedPort(
        serves="probes",
        host=host,
        port=port,
        option="--probe-port",
        routes=(*own, *routes),
        bound=PROBES,
    )


def webhook_listener(*, host: str, port: int, routes: Iterable[web.AbstractRouteDef]) -> ServedPort:
    """Return the listener that everybody may reach: its connections leave open files for all other work."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    bound = Bound.within(files if files != resource.RLIM_INFINITY else sys.maxsize)
    return ServedPort(
        serves="webhooks", host=host, port=port, option="--port", routes=tuple(routes), bound=bound
    )


def users_listener(
    *, host: str, port: int, routes: Iterable[web.AbstractRouteDef], tls: ssl.SSLContext
) -> ServedPort:
    """Return the listener of the API server's reports; every Pod may reach it."""
    return ServedPort(
        serves="users",
        host=host,
        port=port,
        option="--users-port",
        routes=tuple(routes),
        bound=USERS,
        tls=tls,
    )


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
