"""Delete the Git mirrors that no repository uses any more, so that the cache folder does not grow."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Protocol

from nopea import log_events
from nopea.core.git.source import Remote
from nopea.logs import Log
from nopea.state.store import StateStore

log = Log(__name__)
SWEEP_SECONDS = 1800.0
"""Long enough that, after a start, every repository has had a sync: its mirror counts as used from then."""


class Mirrors(Protocol):
    """The part of the Git port that deletes mirrors."""

    async def forget(self, in_use: Collection[Remote]) -> int:
        """Delete the mirrors of all other remotes, but none in use, and return how many."""
        ...


async def sweep_mirrors(mirrors: Mirrors, store: StateStore, *, every_seconds: float = SWEEP_SECONDS) -> None:
    """Sweep until cancelled. A repository whose mirror goes by mistake fetches it again."""
    while True:
        await asyncio.sleep(every_seconds)
        states = store.states.values()
        read = {state.remote for state in states if state.remote is not None}
        deleted = await mirrors.forget(read | {base for state in states for base in state.bases})
        if deleted:
            log.write(log_events.mirrors_deleted, count=deleted)
