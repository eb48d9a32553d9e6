"""Numbers what changes, so that a page can ask what has changed since it was made.

It looks when it is asked and runs no task. Bounded by the GitRepositories that exist, and by `MOST_GONE`.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from nopea.core.api.repository import Repository
from nopea.core.objects import RepoKey
from nopea.dashboard.pages.overview import Row, row_of
from nopea.dashboard.source import ControllerState

MOST_GONE = 1_000
"""How many deleted GitRepositories are remembered; a page that is older than that loads again."""


@dataclass(frozen=True, slots=True)
class _Numbered:
    uid: str
    version: str
    number: int
    row: Row


@dataclass(frozen=True, slots=True)
class Told:
    """What is true for all pages: whether a controller runs, and why what is shown may be old."""

    controller: ControllerState
    old: str


class Board:
    """The rows of all GitRepositories, and what is told on all pages, with the numbers of their changes."""

    def __init__(self) -> None:
        self._series = secrets.token_hex(4)
        self._entries: dict[RepoKey, _Numbered] = {}
        self._gone: OrderedDict[RepoKey, int] = OrderedDict()
        self._number = 0
        self._forgotten = 0
        self._told = Told(ControllerState(None, ""), "")
        self._told_number = 0

    @property
    def at(self) -> str:
        """The number of the last change, for a page; it says which process counted."""
        return self.at_number(self._number)

    def at_number(self, number: int) -> str:
        """Return a number for a page."""
        return f"{self._series}-{number}"

    @property
    def number(self) -> int:
        """The number of the last change."""
        return self._number

    def number_of(self, at: str) -> int | None:
        """Return the number in an `at`; None if another process counted, or if too much was forgotten."""
        series, _, digits = at.partition("-")
        if series != self._series or not digits.isdecimal() or len(digits) > 18:
            return None
        number = int(digits)
        return number if self._forgotten <= number <= self._number else None

    @property
    def told(self) -> Told:
        """What is told on all pages, as of the last look."""
        return self._told

    @property
    def told_number(self) -> int:
        """The number of its last change."""
        return self._told_number

    def look(self, repositories: Iterable[Repository], told: Told) -> None:
        """Number what has changed since the last look."""
        if told != self._told:
            self._number += 1
            self._told, self._told_number = told, self._number
        seen: set[RepoKey] = set()
        for each in repositories:
            seen.add(each.key)
            known = self._entries.get(each.key)
            if known is None or (known.uid, known.version) != (each.uid, each.resource_version):
                self._number += 1
                entry = _Numbered(each.uid, each.resource_version, self._number, row_of(each))
                self._entries[each.key] = entry
                self._gone.pop(each.key, None)
        for key in self._entries.keys() - seen:
            self._number += 1
            del self._entries[key]
            self._gone[key] = self._number
        while len(self._gone) > MOST_GONE:
            self._forgotten = self._gone.popitem(last=False)[1]

    def rows(self) -> list[Row]:
        """Return all rows, in no particular order."""
        return [entry.row for entry in self._entries.values()]

    def row_number(self, key: RepoKey) -> int:
        """Return the number of the last change of one repository; 0 without one."""
        entry = self._entries.get(key)
        return entry.number if entry is not None else self._gone.get(key, 0)

    def gone_since(self, number: int) -> list[RepoKey]:
        """Return the repositories that are gone since a number."""
        return [key for key, when in self._gone.items() if when > number]
