"""The one door into a worker: remembers that something happened and why, never how many times."""

from __future__ import annotations

import asyncio
import enum


class Trigger(enum.StrEnum):
    """Why a worker should look; a pass looks at the world, the trigger is for the log and for history."""

    STARTUP = "startup"
    POLL = "poll"
    RECONCILE = "reconcile"
    RETRY = "retry"
    WEBHOOK = "webhook"
    OBJECT_CHANGE = "object change"
    SPEC_CHANGE = "spec change"
    KIND_CHANGE = "kind change"
    MANUAL = "manual"


MAY_MEAN_NEW_COMMIT = frozenset({Trigger.POLL, Trigger.WEBHOOK, Trigger.MANUAL})


class Mailbox:
    """Coalesces triggers: fifty pushes are one pass. Bounded by the number of triggers there are."""

    def __init__(self) -> None:
        self._pending: set[Trigger] = set()
        self._arrived = asyncio.Event()

    def put(self, trigger: Trigger) -> None:
        """Add a trigger; never blocks, so any callback of the loop may call it."""
        self._pending.add(trigger)
        self._arrived.set()

    async def take(self) -> frozenset[Trigger]:
        """Wait for at least one trigger and empty the mailbox."""
        await self._arrived.wait()
        self._arrived.clear()
        taken = frozenset(self._pending)
        self._pending.clear()
        return taken

    async def arrival(self) -> frozenset[Trigger]:
        """Wait for at least one trigger and return what is pending, leaving it in the mailbox."""
        await self._arrived.wait()
        return frozenset(self._pending)
