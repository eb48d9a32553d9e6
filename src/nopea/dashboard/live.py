"""Live updates: one stream of server-sent events for each open page, which sends only what has changed.

Each stream looks at the memory about once a second, less often if looks take long. It keeps no queue, so
that a slow reader costs only itself. Streams are bounded in number and time; a browser opens the next one
where the last one has ended.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from nopea.core.objects import RepoKey
from nopea.dashboard.board import Board
from nopea.dashboard.guard import RefusedRequestError, harden
from nopea.dashboard.pages.overview import Filter, Overview, Row, overview
from nopea.dashboard.pages.render import overview_parts, overview_title, row_html
from nopea.dashboard.source import DashboardError

MOST_STREAMS: Final = 200
LOOK_SECONDS: Final = 1.0
MOST_SHARE: Final = 0.1
"""Of the process's time, for the looks of all streams: the controller has other work."""

SILENT_LOOKS: Final = 15
"""After so many looks without news, a comment shows whether the browser is still there."""

WRITE_SECONDS: Final = 20.0
STREAM_SECONDS: Final = 1_800.0
RETRY_MILLISECONDS: Final = 2_000

Sent = tuple[str, str]
"""The name of an event and its data."""

RELOAD: Final = ("reload", "")
"""Tells the browser to load the page again: what it has cannot be brought up to date."""


def event(name: str, data: str, *, at: str = "") -> bytes:
    """Return one server-sent event."""
    lines = [f"id: {at}"] if at else []
    lines += [f"event: {name}", *(f"data: {line}" for line in data.splitlines() or ("",)), "", ""]
    return "\n".join(lines).encode()


class Streams:
    """The open streams of one server."""

    def __init__(self, *, most: int = MOST_STREAMS, look_seconds: float = LOOK_SECONDS) -> None:
        self._most = most
        self._open = 0
        self._look_seconds = look_seconds
        self._closing = asyncio.Event()

    def close(self) -> None:
        """End all streams soon, so that the server can stop; browsers open them again when it is back."""
        self._closing.set()

    async def serve(
        self, request: web.Request, looks: AsyncGenerator[tuple[list[Sent], str]]
    ) -> web.StreamResponse:
        """Send what each look finds, with the number that it reaches; an empty look is a pause.

        Raises RefusedRequestError when too many streams are open.
        """
        if self._open >= self._most:
            raise RefusedRequestError(503, "Too many pages are open. This one is not live.")
        self._open += 1
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}
        )
        harden(response)
        try:
            await response.prepare(request)
            await self._send(response, f"retry: {RETRY_MILLISECONDS}\n\n".encode())
            async with asyncio.timeout(STREAM_SECONDS), aclosing(looks):
                await self._follow(response, looks)
        except (ConnectionError, TimeoutError):
            pass  # the browser is gone, reads nothing, or opens the next stream
        finally:
            self._open -= 1
        return response

    async def _follow(
        self, response: web.StreamResponse, looks: AsyncGenerator[tuple[list[Sent], str]]
    ) -> None:
        silent = 0
        begun = time.monotonic()
        async for news, at in looks:
            spent = time.monotonic() - begun
            silent = 0 if news else silent + 1
            if news:
                parts = [event(name, data, at=at if index == len(news) - 1 else "")
                         for index, (name, data) in enumerate(news)]  # fmt: skip
                await self._send(response, b"".join(parts))
            elif silent % SILENT_LOOKS == 0:
                await self._send(response, b": still here\n\n")
            if await self._is_closing(self.pause(spent)):
                return
            begun = time.monotonic()

    def pause(self, spent_seconds: float) -> float:
        """Return the time until the next look, so long that all streams together have a small share."""
        return max(self._look_seconds, spent_seconds * self._open / MOST_SHARE)

    async def _is_closing(self, seconds: float) -> bool:
        """Wait until the next look; return whether there is none."""
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return False
        return True

    async def _send(self, response: web.StreamResponse, data: bytes) -> None:
        async with asyncio.timeout(WRITE_SECONDS):
            await response.write(data)


@dataclass(frozen=True, slots=True)
class OverviewLook:
    """What a viewer may see at one moment: the rows, the keys that are gone, and the number of the moment."""

    rows: Sequence[Row]
    gone: Sequence[RepoKey]
    number: int
    namespaces: frozenset[str]
    """Those of which the viewer may see something."""


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


async def section_looks(
    board: Board, key: RepoKey, at: str, sections: Callable[[], Awaitable[dict[str, str] | None]]
) -> AsyncGenerator[tuple[list[Sent], str]]:
    """Yield the sections of a repository's page that change after `at`; `sections` looks and makes them.

    None is a repository that is gone, or that the viewer may not see any more: the page loads again.
    """
    number = board.number_of(at)
    parts: dict[str, str] | None = None
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
        is_known = parts is None and board.row_number(key) <= number
        known = now if is_known else parts or {}
        yield [("section", html) for name, html in now.items() if known.get(name) != html], board.at
        parts = now


def key_of(row: Row) -> RepoKey:
    """Return the key of a row's repository."""
    return RepoKey(row.namespace, row.name)


def id_of(key: RepoKey) -> str:
    """Return the id of a repository's row."""
    return f"row_{key.namespace}_{key.name}"
