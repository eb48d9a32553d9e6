"""The HTTP server: `GET /health`, `GET /ready` and the routes that others bring. Never asks the cluster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from aiohttp import web

from nopea import log_events, tasks
from nopea.logs import Log
from nopea.web.expect import refusing_expectations
from nopea.web.idle import IdleConnections
from nopea.web.noise import quiet_logger

log = Log(__name__)
CLOSE_SECONDS = 2.0
KEEP_ALIVE_SECONDS = 75.0
LINGER_SECONDS = 2.0
"""How long the rest of a body that nobody wants is read away, so that its sender sees the answer."""


class ListenError(Exception):
    """The address cannot be had; the text names it and says what to do."""


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
        logger=quiet_logger(),
        shutdown_timeout=CLOSE_SECONDS,
        lingering_time=LINGER_SECONDS,
        keepalive_timeout=KEEP_ALIVE_SECONDS,
        auto_decompress=False,  # signatures are made over the bytes, and nothing can blow up in our memory
    )
    await runner.setup()
    server = runner.server
    assert server is not None  # noqa: S101 - setup makes it
    idle = IdleConnections()
    server.request_handler = idle.counting(refusing_expectations(server.request_handler))
    watching = tasks.spawn(idle.run(server), name="idle connections")
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise ListenError(
                f"cannot listen on {host}:{port}: {error.strerror}; choose another port"
            ) from error
        bound = int(runner.addresses[0][1])
        log.write(log_events.listening, host=host, port=bound)
        yield bound
    finally:
        await tasks.end(watching)
        async with asyncio.timeout(2 * CLOSE_SECONDS):
            await runner.cleanup()


async def _health(request: web.Request) -> web.Response:
    """An answer is the proof: the event loop turns. Core services that end, end the process."""
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
