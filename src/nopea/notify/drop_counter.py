"""Counts the messages that a sink will never get, and logs at most one line a minute and reason."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from nopea import log_events
from nopea.core.notify.delivery import DropReason
from nopea.logs import Log

log = Log(__name__)

LOG_SECONDS = 60.0


@dataclass(slots=True)
class _Unlogged:
    count: int = 0
    error: str = ""
    last: str = ""


class DropCounter:
    """Counts the dropped messages of one sink by reason."""

    def __init__(self, sink: str) -> None:
        self._sink = sink
        self._counts: Counter[DropReason] = Counter()
        self._unlogged: dict[DropReason, _Unlogged] = {}
        self._added = asyncio.Event()

    @property
    def counts(self) -> Mapping[DropReason, int]:
        """The messages dropped since the process started."""
        return MappingProxyType(dict(self._counts))

    def add(self, reason: DropReason, *, error: str = "", last: str = "", count: int = 1) -> None:
        """Count messages; `error` is the last error of the sink, `last` the id of the last message."""
        self._counts[reason] += count
        unlogged = self._unlogged.setdefault(reason, _Unlogged())
        unlogged.count += count
        unlogged.error, unlogged.last = error, last
        self._added.set()

    async def run(self) -> None:
        """Log the first drop at once, then once a minute; runs until cancelled."""
        while True:
            await self._added.wait()
            self.write_log()
            await asyncio.sleep(LOG_SECONDS)

    def write_log(self) -> None:
        """Log what is not logged yet."""
        for reason, unlogged in self._unlogged.items():
            log.write(
                log_events.messages_dropped,
                sink=self._sink,
                reason=reason.value,
                count=unlogged.count,
                error=unlogged.error,
                last=unlogged.last,
            )
        self._unlogged.clear()
        self._added.clear()
