"""The sockets to an API server: they notice a vanished peer, and they are closed before the client ends.

This module knows nothing of TLS or HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import weakref
from typing import Any

CLOSE_SECONDS = 1.0
"""How long `wait_closed` waits for the peer to close the connections."""

HANG_UP_SECONDS = 0.5
"""How long it then waits for the event loop to notice that they were cut."""

_KEEPALIVE = ((socket.TCP_KEEPIDLE, 30), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 3))


class Sockets:
    """Opens the sockets of one client and knows which are open."""

    def __init__(self) -> None:
        self._opened: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    def open(self, address: Any) -> socket.socket:
        """Open a socket that notices a vanished peer in about a minute, so that no watch waits for ever."""
        family, kind, proto = address[0], address[1], address[2]
        opened = socket.socket(family, kind, proto)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE:
            opened.setsockopt(socket.IPPROTO_TCP, option, value)
        self._opened.add(opened)
        return opened

    async def wait_closed(self) -> None:
        """Wait until every socket is closed, including those of cancelled requests, which aiohttp forgets.

        An event loop that ends earlier leaves them open and logs errors. The connection to a peer that never
        confirms the end of TLS is cut.
        """
        if await self._are_closed(CLOSE_SECONDS):
            return
        for opened in self._still_open():
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
        await self._are_closed(HANG_UP_SECONDS)

    def _still_open(self) -> list[socket.socket]:
        return [opened for opened in self._opened if opened.fileno() >= 0]

    async def _are_closed(self, seconds: float) -> bool:
        """Return whether every socket is closed within that time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._still_open():  # noqa: ASYNC110 - a socket has no event for its end
                    await asyncio.sleep(0.01)
                return True
        return False
