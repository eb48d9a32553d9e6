"""The last rendering of each repository: it serves while what it was made with is missing or broken.

A Secret with values may be deleted, or changed to nonsense, without a commit. What was applied then stays as
it is, and drift in it is still reverted. Remembers what to look for in the cache, and renders nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace
from typing import TypeAlias

from cachetools import LRUCache

from nopea.core.objects import RepoKey
from nopea.core.problem import SyncError
from nopea.reconcile.rounds import Rounds
from nopea.state.store import RenderCache, Rendered

Key: TypeAlias = tuple[object, ...]
"""What a rendering depends on beside files."""

_REPOSITORIES = 10_000


class LastRenderings:
    """By which key of the cache each repository's last good rendering is, and what it was a rendering of."""

    def __init__(self, cache: RenderCache) -> None:
        self._cache = cache
        self._last: LRUCache[RepoKey, tuple[Key, Key]] = LRUCache(maxsize=_REPOSITORIES)

    def note(self, owner: RepoKey, what: Key, key: Key) -> None:
        """Remember that a rendering of `what` went well."""
        self._last[owner] = (what, key)

    async def unless(self, rendering: Awaitable[Rendered], rounds: Rounds, what: Key) -> Rendered:
        """Return a rendering; if it fails and the folder takes the last one, that. Raises SyncError."""
        try:
            return await rendering
        except SyncError:
            last = await self._of(rounds, what) if rounds.folder.or_last else None
            if last is None:
                raise
            return replace(last, chart=rounds.folder.chart)

    async def _of(self, rounds: Rounds, what: Key) -> Rendered | None:
        """Return the last rendering if it was of `what`, with the same files."""
        known = self._last.get(rounds.folder.owner)
        rendered = self._cache.get(known[1]) if known is not None and known[0] == what else None
        return rendered if rendered is not None and await is_current(rendered, rounds) else None


async def is_current(known: Rendered, rounds: Rounds) -> bool:
    """Return whether everything that a rendering read is as it was."""
    try:
        for item in known.items:
            await rounds.open(item)
    except SyncError:
        return False  # perhaps it is not needed any more; if it is, the renderer asks for it again
    return not known.paths or await rounds.tree.paths(known.paths) == known.listing
