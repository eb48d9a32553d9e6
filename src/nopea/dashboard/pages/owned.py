"""What the objects of a repository own, as far as a page shows it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nopea.core.health.descendants import Descendant
from nopea.core.health.rules import HealthStatus
from nopea.dashboard.pages.overview import Level

MOST_OWNED = 200
"""The most objects that a page shows below those of the repository."""

LEVEL_OF_HEALTH = {HealthStatus.HEALTHY: Level.GOOD, HealthStatus.FAILED: Level.BAD}
"""How loud the health of an object is shown; all others are notes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownOwned:
    """An object that another one owns, with what it owns; `hidden` counts what is not shown of that."""

    kind: str
    name: str
    state: str
    health: str
    level: Level
    message: str
    owned: tuple[ShownOwned, ...]
    hidden: int


class Room:
    """The room that is left on a page."""

    def __init__(self, most: int = MOST_OWNED) -> None:
        self._left = most

    def owned(self, found: Sequence[Descendant]) -> tuple[tuple[ShownOwned, ...], int]:
        """Return what is shown of what one object owns, unhealthy ones first, and how many are not shown."""
        shown = tuple(self._shown(sorted(found, key=_is_fine)))
        return shown, len(found) - len(shown)

    def _shown(self, found: Sequence[Descendant]) -> Iterator[ShownOwned]:
        for each in found:
            if self._left <= 0:
                return
            self._left -= 1
            owned, hidden = self.owned(each.children)
            yield ShownOwned(
                kind=each.key.kind,
                name=each.key.name,
                state=each.state,
                health=each.health.status,
                level=LEVEL_OF_HEALTH.get(each.health.status, Level.NOTE),
                message=each.health.message,
                owned=owned,
                hidden=hidden,
            )


def _is_fine(found: Descendant) -> bool:
    return found.health.status is HealthStatus.HEALTHY and not found.health.message
