"""Listens by TLS: a connection is counted from its first moment on, and its handshake has a deadline.

asyncio tells a server of a connection only after the handshake. Until then nobody could bound those that are
open and silent.
"""

from __future__ import annotations

import asyncio
import ssl

from aiohttp import web

from nopea import tasks
from nopea.web.connections import Connections

HANDSHAKE_SECONDS = 3.0


class TlsSite(web.TCPSite):
    """An address at which the server of a runner is reached by TLS. `connections` is that of the server."""

    def __init__(
        self,
        runner: web.BaseRunner,
        host: str,
        port: int,
        *,
        connections: Connections,
        context: ssl.SSLContext,
    ) -> None:
        super().__init__(runner, host, port)
        self._connections = connections
        self._context = context
        self._handshakes: set[asyncio.Task[None]] = set()
        self._is_stopped = False

    async def start(self) -> None:
        """Listen."""
        await web.BaseSite.start(self)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Client(self), self._host, self._port)

    async def stop(self) -> None:
        """Listen no longer, and cut off the handshakes."""
        await super().stop()
        self._is_stopped = True
        await tasks.end(*self._handshakes)

    def begin(self, client: _Client, transport: asyncio.Transport) -> None:
        """Count a connection and start its handshake. If there are too many, one is cut off."""
        if self._is_stopped:
            transport.abort()
            return
        transport.pause_reading()
        self._connections.admit(client, transport)
        task = tasks.spawn(self._serve(client, transport), name="handshake")
        self._handshakes.add(task)
        task.add_done_callback(self._handshakes.discard)

    async def _serve(self, client: _Client, transport: asyncio.Transport) -> None:
        try:
            if transport.is_closing():
                return  # asyncio would wait for it without end
            encrypted = await asyncio.get_running_loop().start_tls(
                transport, client, self._context, server_side=True,
                ssl_handshake_timeout=HANDSHAKE_SECONDS, ssl_shutdown_timeout=HANDSHAKE_SECONDS,
            )  # fmt: skip
        except OSError:
            return  # the client left, was too slow or was cut off, or it does not speak TLS
        finally:
            self._connections.forget(client)
        server = self._runner.server
        if encrypted is None or server is None or transport.is_closing():
            return  # the end of the connection has been told to the client that stood in
        handler = server()
        encrypted.set_protocol(handler)
        handler.connection_made(encrypted)
        if client.early:
            handler.data_received(bytes(client.early))


class _Client(asyncio.Protocol):
    """Stands in for the server's protocol during a handshake, and for a moment after it."""

    def __init__(self, site: TlsSite) -> None:
        self._site = site
        self.early = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a TCP server has no others
        self._site.begin(self, transport)

    def data_received(self, data: bytes) -> None:
        self.early += data
