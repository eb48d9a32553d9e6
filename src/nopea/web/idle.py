"""Closes idle connections, so that an incomplete request cannot hold a socket for ever.

aiohttp limits the time between requests of a connection, but not the time until the first one.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

from aiohttp import web

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

IDLE_SECONDS = 30.0
MOST = 1_024
"""Connections; beyond that, the longest idle ones are closed."""


class IdleConnections:
    """Closes the idle connections of a server: `counting` marks busy connections, `run` closes the others."""

    def __init__(self, *, idle_seconds: float = IDLE_SECONDS, most: int = MOST) -> None:
        self._idle_seconds = idle_seconds
        self._most = most
        self._busy: Counter[web.RequestHandler] = Counter()
        self._idle_since: dict[web.RequestHandler, float] = {}

    def counting(self, handler: Handler) -> Handler:
        """Return the handler, which marks its connection as busy while it runs."""

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            connection = request.protocol
            self._busy[connection] += 1
            try:
                return await handler(request)
            finally:
                self._idle_since.pop(connection, None)
                self._busy[connection] -= 1
                if not self._busy[connection]:
                    del self._busy[connection]

        return handle

    async def run(self, server: web.Server) -> None:
        """Close idle connections until cancelled, after 1 to 1.5 times `idle_seconds`."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._idle_seconds / 2)
            self.look(server.connections, now=loop.time())

    def look(self, connections: list[web.RequestHandler], *, now: float) -> None:
        """Close connections that are idle too long, and the longest idle ones while there are too many."""
        idle = [connection for connection in connections if connection not in self._busy]
        self._idle_since = {connection: self._idle_since.get(connection, now) for connection in idle}
        oldest_first = sorted(self._idle_since, key=self._idle_since.__getitem__)
        too_many = len(connections) - self._most
        for position, connection in enumerate(oldest_first):
            if position < too_many or now - self._idle_since[connection] >= self._idle_seconds:
                connection.force_close()
