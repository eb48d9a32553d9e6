"""A worker's only input: the set of triggers that wait, without their number."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from nopea.core.objects import RepoKey
from nopea.core.trigger import Trigger


class Mailbox:
    """Coalesces triggers: fifty pushes are one sync. Bounded by the number of triggers there are."""

    def __init__(self) -> None:
        self._pending: set[Trigger] = set()
        self._arrived = asyncio.Event()

    def put(self, trigger: Trigger) -> None:
        """Add a trigger; never blocks, so any callback of the loop may call it."""
        self._pending.add(trigger)
        self._arrived.set()

    def pending(self) -> frozenset[Trigger]:
        """Return the waiting triggers without removing them: a running sync checks them."""
        return frozenset(self._pending)

    async def take(self) -> frozenset[Trigger]:
        """Wait for at least one trigger and empty the mailbox."""
        await self._arrived.wait()
        return self.take_now()

    def take_now(self) -> frozenset[Trigger]:
        """Empty the mailbox; it may be empty already."""
        self._arrived.clear()
        taken = frozenset(self._pending)
        self._pending.clear()
        return taken


class Mailboxes:
    """The mailboxes of all workers. Callers put in a trigger when a repository must be synced."""

    def __init__(self) -> None:
        self._mailboxes: dict[RepoKey, Mailbox] = {}

    def __contains__(self, key: RepoKey) -> bool:
        return key in self._mailboxes

    def __iter__(self) -> Iterator[RepoKey]:
        return iter(self._mailboxes)

    @property
    def pending(self) -> int:
        """How many triggers wait in all of them."""
        return sum(len(mailbox.pending()) for mailbox in self._mailboxes.values())

    def open(self, key: RepoKey) -> Mailbox:
        """Make the mailbox of a new worker."""
        mailbox = self._mailboxes[key] = Mailbox()
        return mailbox

    def close(self, key: RepoKey) -> bool:
        """Remove a mailbox; False when there was none."""
        return self._mailboxes.pop(key, None) is not None

    def put(self, key: RepoKey, trigger: Trigger) -> None:
        """Wake the worker of one repository, if it has one; never blocks."""
        mailbox = self._mailboxes.get(key)
        if mailbox is not None:
            mailbox.put(trigger)

    def put_all(self, trigger: Trigger) -> None:
        """Wake every worker; never blocks."""
        for mailbox in self._mailboxes.values():
            mailbox.put(trigger)
