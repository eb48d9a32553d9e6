"""What an open page has to be told: what has changed on the board since the number that the page has.

Each generator looks when it is asked for the next item; who asks decides how often.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from nopea.core.objects import RepoKey
from nopea.dashboard.board import Board
from nopea.dashboard.guard import RefusedRequestError
from nopea.dashboard.live import Sent
from nopea.dashboard.pages.overview import Filter, Overview, Row, overview
from nopea.dashboard.pages.render import SiteInfo, overview_parts, overview_title, row_html, site_parts
from nopea.dashboard.source import DashboardError

AGAIN_SECONDS: Final = 10.0
"""How soon an open page is made again that lacks something."""

RELOAD: Final = ("reload", "")
"""Tells the browser to load the page again: what it has cannot be brought up to date."""


@dataclass(frozen=True, slots=True)
class OverviewLook:
    """What a viewer may see at one moment: the rows, the keys that are gone, and the number of the moment."""

    rows: Sequence[Row]
    gone: Sequence[RepoKey]
    number: int
    namespaces: frozenset[str]
    """Those of which the viewer may see something."""
    site: SiteInfo


async def overview_looks(
    board: Board, chosen: Filter, at: str, look: Callable[[int], Awaitable[OverviewLook]]
) -> AsyncGenerator[tuple[list[Sent], str]]:
    """Yield what changes in the overview after `at`: rows, rows that are gone, the numbers above.

    `look` takes a number and returns what is now, with what is gone since that number. It runs until closed.
    """
    number = board.number_of(at)
    if number is None:
        yield [RELOAD], ""
        return
    shown: set[str] | None = None
    seen: frozenset[str] | None = None
    parts: dict[str, str] = {}
    while True:
        try:
            now = await look(number)
        except RefusedRequestError:
            yield [RELOAD], ""
            return
        except DashboardError:
            yield [], ""  # the cluster cannot say now what the viewer may see
            continue
        if shown is not None and (now.number, now.namespaces) == (number, seen):
            yield [], ""  # most looks: nothing has changed
            continue
        view = overview(now.rows, chosen)
        is_first = shown is None
        if shown is None:  # what the page has: rows that changed since may be there in another state
            shown = {row.id for row in view.rows if board.row_number(key_of(row)) <= number}
            news = [("gone", row.id) for row in now.rows
                    if board.row_number(key_of(row)) > number and not chosen.takes(row)]  # fmt: skip
            news += [("gone", id_of(key)) for key in now.gone]
        else:
            news = []
        is_same = is_first and now.number == number
        if board.told_number > number:
            news += [("section", html) for html in site_parts(now.site)]
        news += _row_news(board, view, number, shown)
        head = {**overview_parts(view), "": overview_title(view)}
        if not is_same:
            news += [("section", html) for name, html in head.items() if name and parts.get(name) != html]
            news += [("title", head[""])] if parts.get("") != head[""] else []
        parts, number, shown = head, now.number, {row.id for row in view.rows}
        seen = now.namespaces
        yield news, board.at_number(number)


def _row_news(board: Board, view: Overview, number: int, shown: set[str]) -> Iterator[Sent]:
    """Yield the rows that are no longer shown, and those that are new or changed after a number."""
    for each in sorted(shown - {row.id for row in view.rows}):
        yield "gone", each
    for row in view.rows:
        if row.id not in shown or board.row_number(key_of(row)) > number:
            yield "row", row_html(row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sections:
    """The sections of a repository's page by id, and the number from which changes go on."""

    parts: Mapping[str, str]
    at: str


class SectionMemory:
    """Keeps the sections of one open page, which are made again when their version changes.

    If they lack something that may be known soon, they are made again after `AGAIN_SECONDS`, too.
    """

    def __init__(self) -> None:
        self._parts: Mapping[str, str] = {}
        self._version: str | None = None
        self._until = 0.0

    async def get(
        self, version: str, make: Callable[[], Awaitable[tuple[Mapping[str, str], bool]]]
    ) -> Mapping[str, str]:
        """Return the sections of a version; `make` returns them, and whether they lack something."""
        now = asyncio.get_running_loop().time
        if version != self._version or now() >= self._until:
            self._parts, lacks_something = await make()
            self._version, self._until = version, now() + AGAIN_SECONDS if lacks_something else math.inf
        return self._parts


async def section_looks(
    board: Board,
    key: RepoKey,
    at: str,
    sections: Callable[[], Awaitable[Sections | None]],
    *,
    is_whole: bool = True,
) -> AsyncGenerator[tuple[list[Sent], str]]:
    """Yield the sections of a repository's page that change after `at`; `sections` looks and makes them.

    None is a repository that is gone, or that the viewer may not see any more: the page loads again. A page
    that is not whole lacks something that was not known when it was made, and gets all sections.
    """
    number = board.number_of(at)
    parts: Mapping[str, str] | None = None
    while True:
        try:
            now = None if number is None else await sections()
        except RefusedRequestError:
            now = None
        except DashboardError:
            yield [], ""
            continue
        if now is None or number is None:
            yield [RELOAD], ""
            return
        has_news = max(board.row_number(key), board.told_number) > number
        is_known = parts is None and is_whole and not has_news
        known = now.parts if is_known else parts or {}
        yield [("section", html) for name, html in now.parts.items() if known.get(name) != html], now.at
        parts = now.parts


def key_of(row: Row) -> RepoKey:
    """Return the key of a row's repository."""
    return RepoKey(row.namespace, row.name)


def id_of(key: RepoKey) -> str:
    """Return the id of a repository's row."""
    return f"row_{key.namespace}_{key.name}"
