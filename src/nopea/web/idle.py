"""Ends connections on which nothing is asked: half a request must not hold a socket for ever.

aiohttp bounds how long a connection may rest between requests, not how long the first one may take to come.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

from aiohttp import web

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

IDLE_SECONDS = 30.0
MOST = 1_024
"""Connections; the longest idle are ended beyond that."""


class IdleConnections:
    """Watches a server: `counting` tells it which connections are busy, `run` ends those that are not."""

    def __init__(self, *, idle_seconds: float = IDLE_SECONDS, most: int = MOST) -> None:
        self._idle_seconds = idle_seconds
        self._most = most
        self._busy: Counter[web.RequestHandler] = Counter()
        self._idle_since: dict[web.RequestHandler, float] = {}

    def counting(self, handler: Handler) -> Handler:
        """Return the handler, with its connection counted as busy meanwhile."""

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
        """Look for idle connections until cancelled; each is ended between one and one and a half times."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._idle_seconds / 2)
            self.look(server.connections, now=loop.time())

    def look(self, connections: list[web.RequestHandler], *, now: float) -> None:
        """End those that have been idle for too long, and the longest idle while there are too many."""
        idle = [connection for connection in connections if connection not in self._busy]
        self._idle_since = {connection: self._idle_since.get(connection, now) for connection in idle}
        oldest_first = sorted(self._idle_since, key=self._idle_since.__getitem__)
        too_many = len(connections) - self._most
        for position, connection in enumerate(oldest_first):
            if position < too_many or now - self._idle_since[connection] >= self._idle_seconds:
                connection.force_close()
