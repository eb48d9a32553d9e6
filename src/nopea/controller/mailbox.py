"""The one door into a worker: remembers that something happened and why, never how many times."""

from __future__ import annotations

import asyncio

from nopea.core.trigger import Trigger


class Mailbox:
    """Coalesces triggers: fifty pushes are one pass. Bounded by the number of triggers there are."""

    def __init__(self) -> None:
        self._pending: set[Trigger] = set()
        self._arrived = asyncio.Event()

    def put(self, trigger: Trigger) -> None:
        """Add a trigger; never blocks, so any callback of the loop may call it."""
        self._pending.add(trigger)
        self._arrived.set()

    def pending(self) -> frozenset[Trigger]:
        """Return what waits, leaving it there: a running pass looks whether it should start over."""
        return frozenset(self._pending)

    async def take(self) -> frozenset[Trigger]:
        """Wait for at least one trigger and empty the mailbox."""
        await self._arrived.wait()
        self._arrived.clear()
        taken = frozenset(self._pending)
        self._pending.clear()
        return taken
