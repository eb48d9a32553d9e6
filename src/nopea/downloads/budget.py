"""How much is downloaded at once: by each namespace, and by all together."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from nopea.downloads import problems
from nopea.git.settings import MIB

NAMESPACE_REQUESTS = 8
NAMESPACE_BYTES = 64 * MIB
TOTAL_BYTES = 256 * MIB


class DownloadBudget:
    """Counts the requests and the bytes in memory that are on their way."""

    def __init__(self) -> None:
        self._slots: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._bytes: Counter[str] = Counter()

    @asynccontextmanager
    async def share(self, namespace: str, *, what: str) -> AsyncIterator[Share]:
        """Count one download; it waits while the namespace has too many. The caller owns the deadline."""
        slots = self._slots.setdefault(namespace, asyncio.Semaphore(NAMESPACE_REQUESTS))
        async with slots:
            share = Share(self._bytes, namespace, what)
            try:
                yield share
            finally:
                share.release()


class Share:
    """One download's part."""

    def __init__(self, in_flight: Counter[str], namespace: str, what: str) -> None:
        self._in_flight = in_flight
        self._namespace = namespace
        self._what = what
        self._held = 0

    def hold(self, size: int) -> None:
        """Count bytes that arrived. Raises TransientError when there are too many in memory."""
        self._held += size
        self._in_flight[self._namespace] += size
        if self._in_flight[self._namespace] > NAMESPACE_BYTES or self._in_flight.total() > TOTAL_BYTES:
            raise problems.unreachable(self._what, "too much is being downloaded at the moment")

    def release(self) -> None:
        """Count all bytes as gone."""
        self._in_flight[self._namespace] -= self._held
        self._held = 0
        if self._in_flight[self._namespace] <= 0:
            del self._in_flight[self._namespace]
