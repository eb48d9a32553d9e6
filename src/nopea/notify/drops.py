"""Counts the messages that a sink will never get, and tells of them at a bounded rate.

Noting is cheap and never blocks; no more than one line a minute and reason goes to the log, whatever happens.
"""

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

TELL_SECONDS = 60.0


@dataclass(slots=True)
class _Untold:
    count: int = 0
    error: str = ""
    last: str = ""


class Drops:
    """The dropped messages of one sink, by reason."""

    def __init__(self, sink: str) -> None:
        self._sink = sink
        self._counts: Counter[DropReason] = Counter()
        self._untold: dict[DropReason, _Untold] = {}
        self._noted = asyncio.Event()

    @property
    def counts(self) -> Mapping[DropReason, int]:
        """How many since the beginning."""
        return MappingProxyType(dict(self._counts))

    def note(self, reason: DropReason, *, error: str = "", last: str = "", count: int = 1) -> None:
        """Count messages; for the log, what was last heard of the sink and the id of the last message."""
        self._counts[reason] += count
        untold = self._untold.setdefault(reason, _Untold())
        untold.count += count
        untold.error, untold.last = error, last
        self._noted.set()

    async def run(self) -> None:
        """Tell what is noted, the first at once, then what came in a minute; ends by cancellation."""
        while True:
            await self._noted.wait()
            self.tell()
            await asyncio.sleep(TELL_SECONDS)

    def tell(self) -> None:
        """Tell now what has not been told."""
        for reason, untold in self._untold.items():
            log.write(
                log_events.messages_dropped,
                sink=self._sink,
                reason=reason.value,
                count=untold.count,
                error=untold.error,
                last=untold.last,
            )
        self._untold.clear()
        self._noted.clear()
