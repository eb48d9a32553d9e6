"""Timers that put a trigger into a mailbox."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from nopea.controller.mailbox import Mailbox
from nopea.core.trigger import Trigger


class Timers:
    """At most one timer per trigger; setting one replaces the earlier."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._handles: dict[Trigger, asyncio.TimerHandle] = {}

    def set(self, trigger: Trigger, seconds: float) -> None:
        """Put the trigger into the mailbox after that many seconds."""
        self.drop([trigger])
        loop = asyncio.get_running_loop()
        self._handles[trigger] = loop.call_later(seconds, self._mailbox.put, trigger)

    def keep(self, trigger: Trigger, seconds: float) -> None:
        """Set the timer unless there is one already."""
        if trigger not in self._handles:
            self.set(trigger, seconds)

    def no_later(self, trigger: Trigger, seconds: float) -> None:
        """Set the timer unless there is one that fires sooner."""
        handle = self._handles.get(trigger)
        if handle is None or handle.when() > asyncio.get_running_loop().time() + seconds:
            self.set(trigger, seconds)

    def is_due(self, trigger: Trigger) -> bool:
        """Return whether this timer was due: an earlier trigger came from elsewhere."""
        handle = self._handles.get(trigger)
        return handle is not None and handle.when() <= asyncio.get_running_loop().time()

    def drop(self, triggers: Iterable[Trigger]) -> None:
        """Forget these timers, whether they have fired or not."""
        for trigger in triggers:
            handle = self._handles.pop(trigger, None)
            if handle is not None:
                handle.cancel()

    def clear(self) -> None:
        """Forget every timer."""
        self.drop(list(self._handles))
