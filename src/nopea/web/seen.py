"""Which deliveries have been taken already: forges repeat them. Bounded in number and in time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

SECONDS = 600.0
MOST = 4_096
_LONGEST = 200


class RecentDeliveries:
    """Remembers ids for ten minutes, the newest `most` of them; `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float], *, seconds: float = SECONDS, most: int = MOST) -> None:
        self._clock = clock
        self._seconds = seconds
        self._most = most
        self._taken_at: OrderedDict[tuple[str, str], float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._taken_at)

    def __contains__(self, key: tuple[str, str]) -> bool:
        """Say whether the delivery (address, id) was taken; one without an id never was."""
        taken_at = self._taken_at.get(_bounded(key))
        return taken_at is not None and self._clock() - taken_at < self._seconds

    def add(self, key: tuple[str, str]) -> None:
        """Remember a delivery; only of senders that have proved who they are."""
        if not key[1]:
            return
        self._taken_at[_bounded(key)] = self._clock()
        self._taken_at.move_to_end(_bounded(key))
        while len(self._taken_at) > self._most or self._is_old(next(iter(self._taken_at.values()))):
            self._taken_at.popitem(last=False)

    def _is_old(self, taken_at: float) -> bool:
        return self._clock() - taken_at >= self._seconds


def _bounded(key: tuple[str, str]) -> tuple[str, str]:
    return key[0], key[1][:_LONGEST]
