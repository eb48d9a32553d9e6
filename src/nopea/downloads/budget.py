"""How much is downloaded at once: by each namespace, and by all together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from nopea.downloads import problems
from nopea.git.settings import MIB

NAMESPACE_REQUESTS = 8
NAMESPACE_BYTES = 64 * MIB
TOTAL_BYTES = 256 * MIB


class DownloadBudget:
    """Counts the requests and the bytes in memory that are on their way."""

    def __init__(self) -> None:
        self._requests: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()

    @contextmanager
    def share(self, namespace: str, *, what: str) -> Iterator[Share]:
        """Count one download. Raises TransientError when the namespace has too many."""
        if self._requests[namespace] >= NAMESPACE_REQUESTS:
            raise problems.unreachable(what, f"{NAMESPACE_REQUESTS} downloads of the namespace are running")
        self._requests[namespace] += 1
        share = Share(self._bytes, namespace, what)
        try:
            yield share
        finally:
            share.release()
            self._requests -= Counter((namespace,))


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
