"""Bounds the connections of a server, in total and for each client, and closes the idle ones.

A client that opens too many loses its own longest idle connection, so that it cannot keep others out. aiohttp
limits the time between requests of a connection, but not the time until the first one.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

IDLE_SECONDS = 30.0
_SITE_BITS = 64
"""An IPv6 client has a whole network of this size."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The most connections of a server, in total and from one client."""

    total: int
    per_client: int

    @classmethod
    def within(cls, files: int) -> Bound:
        """Return the bound for a process that may open this many files, most of which are for other work."""
        total = min(1_024, max(files // 4, 8))
        return cls(total, total // 4)


PROBES = Bound(64, 32)
"""The kubelet and a few scrapers."""

USERS = Bound(256, 128)
"""The API servers: each keeps a few."""

VISITORS = Bound(512, 512)
"""Browsers at the dashboard; behind a proxy, all are one client."""


@dataclass(eq=False, slots=True)
class _Connection:
    protocol: asyncio.BaseProtocol
    transport: asyncio.Transport
    client: str
    idle_since: float
    requests: int = 0
    """How many are being answered; none: it is idle."""


class Connections:
    """The open connections of one server: `guard` takes it over, `run` closes what is idle too long."""

    def __init__(self, bound: Bound, *, idle_seconds: float = IDLE_SECONDS) -> None:
        self._bound = bound
        self._idle_seconds = idle_seconds
        self._open: dict[asyncio.BaseProtocol, _Connection] = {}
        self._of_client: defaultdict[str, dict[_Connection, None]] = defaultdict(dict)

    def guard(self, server: web.Server) -> None:
        """Watch the connections and the requests of a server from now on; call it before it listens."""
        made, lost = server.connection_made, server.connection_lost

        def connection_made(handler: web.RequestHandler, transport: asyncio.Transport) -> None:
            made(handler, transport)
            self.admit(handler, transport)

        def connection_lost(handler: web.RequestHandler, exc: BaseException | None = None) -> None:
            lost(handler, exc)
            self.forget(handler)

        server.connection_made = connection_made  # type: ignore[method-assign] # aiohttp has no other hook
        server.connection_lost = connection_lost  # type: ignore[method-assign]
        server.request_handler = self._counting(server.request_handler)

    async def run(self) -> None:
        """Close idle connections until cancelled, after 1 to 1.5 times `idle_seconds`."""
        while True:
            await asyncio.sleep(self._idle_seconds / 2)
            too_old = _now() - self._idle_seconds
            for connection in tuple(self._open.values()):
                if not connection.requests and connection.idle_since <= too_old:
                    connection.transport.abort()

    def _counting(self, handler: Handler) -> Handler:
        """Return the handler, which marks its connection as busy while it runs."""

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            connection = self._open.get(request.protocol)
            if connection is None:  # it was closed before its request was read
                return await handler(request)
            connection.requests += 1
            try:
                return await handler(request)
            finally:
                connection.requests -= 1
                connection.idle_since = _now()

        return handle

    def admit(self, protocol: asyncio.BaseProtocol, transport: asyncio.Transport) -> None:
        """Count a connection from now on; if there are too many, one is cut off."""
        client = client_of(transport.get_extra_info("peername"))
        connection = _Connection(protocol, transport, client, _now())
        self._open[protocol] = connection
        self._of_client[client][connection] = None
        if len(self._of_client[client]) > self._bound.per_client:
            self._close_one_of(client)
        elif len(self._open) > self._bound.total:
            self._close_one_of(max(self._of_client, key=lambda each: len(self._of_client[each])))

    def forget(self, protocol: asyncio.BaseProtocol) -> None:
        """Count a connection no longer; idempotent."""
        connection = self._open.pop(protocol, None)
        if connection is None:
            return
        own = self._of_client[connection.client]
        del own[connection]
        if not own:
            del self._of_client[connection.client]

    def _close_one_of(self, client: str) -> None:
        """Close the client's longest idle connection, which is the newest one if all others are busy.

        It is cut off: a client that reads nothing would keep it open in order to get the rest of a response.
        """
        idle = [connection for connection in self._of_client[client] if not connection.requests]
        if idle:
            longest = min(idle, key=lambda connection: connection.idle_since)
            longest.transport.abort()
            self.forget(
                longest.protocol
            )  # it is lost a moment later; until then others would be closed for it


def client_of(peer: object) -> str:
    """Return who is counted as one client: an IPv4 address, or an IPv6 network; empty if unknown."""
    if not isinstance(peer, tuple) or not peer:
        return ""
    try:
        address = ipaddress.ip_address(str(peer[0]).partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, _SITE_BITS), strict=False))


def _now() -> float:
    return asyncio.get_running_loop().time()
