"""Who asks, what they may see, and what is told on every page: before anything of it is shown.

A repository that a viewer may not read is answered as one that does not exist.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from nopea.core.api.repository import Repository
from nopea.core.objects import RepoKey
from nopea.dashboard.board import Board, Told
from nopea.dashboard.guard import RefusedRequestError
from nopea.dashboard.pages.overview import Level, Row
from nopea.dashboard.pages.render import SiteInfo
from nopea.dashboard.source import DataSource, Viewer

LONGEST_KEY: Final = 320
"""Kubernetes has no longer names, so nobody is asked about them."""

_LEVELS: Final = {True: Level.NOTE, False: Level.BAD, None: Level.NOTE}

Admit = Callable[[web.Request], Awaitable[Viewer]]
"""Returns who asks. Raises RefusedRequestError and web.HTTPException."""


class Desk:
    """The source as one viewer may see it."""

    def __init__(self, source: DataSource, admit: Admit, *, read_only: bool) -> None:
        self._source = source
        self._read_only = read_only
        self.admit = admit
        self.board = Board()

    async def look(self) -> None:
        """Number what has changed."""
        told = Told(await self._source.controller(), self._source.why_old())
        self.board.look(self._source.repositories(), told)

    async def visible(self, viewer: Viewer) -> list[Row]:
        """Return the rows that a viewer may see, as of the last look."""
        rows = self.board.rows()
        seen = await viewer.visible({row.namespace for row in rows})
        return [row for row in rows if row.namespace in seen]

    async def repository(self, request: web.Request, viewer: Viewer) -> Repository:
        """Return the repository of the address; one that may not be seen is answered as one that is not."""
        key = key_of(request)
        found = self._source.get(key)
        may_be = len(str(key)) <= LONGEST_KEY
        if not may_be or not await viewer.may_get(key, exists=found is not None) or found is None:
            raise RefusedRequestError(404, f"GitRepository {key} does not exist, or you may not read it.")
        return found

    def site(self, viewer: Viewer) -> SiteInfo:
        """Return what every page of a viewer shows, as of the last look."""
        controller = self.board.told.controller
        return SiteInfo(
            cluster=self._source.cluster,
            viewer=viewer.name,
            logout=viewer.logout,
            controller=controller.message,
            controller_level=_LEVELS[controller.running],
            silent_since=controller.since,
            old=self.board.told.old,
            csrf=viewer.csrf,
            read_only=self._read_only,
        )


def key_of(request: web.Request) -> RepoKey:
    """Return the repository that the address names."""
    return RepoKey(request.match_info["namespace"], request.match_info["name"])
