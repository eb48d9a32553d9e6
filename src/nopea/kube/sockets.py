"""The sockets to an API server: they notice a vanished peer, and never close what is not theirs.

It knows nothing of TLS or HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import weakref
from typing import Any

CLOSE_SECONDS = 1.0
"""How long `wait_closed` waits for the peer's end of the connections."""

HANG_UP_SECONDS = 0.5
"""How long it then waits for the event loop to see that they were cut."""

_KEEPALIVE = ((socket.TCP_KEEPIDLE, 30), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 3))


class OwnSocket(socket.socket):
    """A socket that forgets its descriptor instead of closing it when that has become another's.

    A connection that is reset in the moment it opens is closed by uvloop without the socket object learning
    of it: https://github.com/MagicStack/uvloop/issues/738, whose fix leaves a window open. By the time that
    the object goes, the number may belong to a healthy connection, which it would close.
    """

    def __init__(self, family: int, type_: int, proto: int) -> None:
        super().__init__(family, type_, proto)
        self._inode = os.fstat(self.fileno()).st_ino

    @property
    def is_open(self) -> bool:
        """Say whether this very socket has not been closed, by whomever."""
        with contextlib.suppress(OSError):
            return self.fileno() >= 0 and os.fstat(self.fileno()).st_ino == self._inode
        return False

    def __del__(self) -> None:
        if not self.is_open:
            self.detach()
        super().__del__()  # type: ignore[misc]  # typeshed does not know it


class Sockets:
    """Opens the sockets of one client and knows which are open."""

    def __init__(self) -> None:
        self._opened: weakref.WeakSet[OwnSocket] = weakref.WeakSet()

    def open(self, address: Any) -> socket.socket:
        """Open a socket that notices a vanished peer in about a minute, so that no watch waits for ever."""
        family, kind, proto = address[0], address[1], address[2]
        opened = OwnSocket(family, kind, proto)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE:
            opened.setsockopt(socket.IPPROTO_TCP, option, value)
        self._opened.add(opened)
        return opened

    async def wait_closed(self) -> None:
        """Wait until all are closed, also those of cancelled requests, which aiohttp knows no more.

        A loop that ends before leaves them open and logs errors. A peer that does not answer, and so never
        confirms the end of TLS, is hung up on.
        """
        if await self._are_closed(CLOSE_SECONDS):
            return
        for one in self._opened:
            if one.is_open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
        await self._are_closed(HANG_UP_SECONDS)

    async def _are_closed(self, seconds: float) -> bool:
        """Say whether all are closed by then."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while any(one.is_open for one in self._opened):  # noqa: ASYNC110 - nothing tells of it
                    await asyncio.sleep(0.01)
                return True
        return False
