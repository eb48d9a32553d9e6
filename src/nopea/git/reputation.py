"""What is remembered of earlier requests: which were slow, and which cost a child its life. Pure and bounded.

All of it is by namespace: what a namespace asks for badly, with a short timeout for example, is not held
against another namespace that asks for the same.
"""

from __future__ import annotations

from collections import deque

from cachetools import LRUCache

_MAX_REMEMBERED = 10_000
_LOSSES = 3
_LOSSES_SECONDS = 600.0

Subject = tuple[str, str]
"""A namespace, and the key of what it asked for."""


class Reputation:
    """Which requests run alone, and which in the slow lane."""

    def __init__(self) -> None:
        self._suspects: LRUCache[Subject, None] = LRUCache(_MAX_REMEMBERED)
        self._slow: LRUCache[Subject, None] = LRUCache(_MAX_REMEMBERED)
        self._proven: LRUCache[Subject, None] = LRUCache(_MAX_REMEMBERED)
        self._losses: LRUCache[str, deque[float]] = LRUCache(_MAX_REMEMBERED)

    @property
    def suspects(self) -> int:
        """How many requests run alone because of what they did."""
        return len(self._suspects)

    def is_alone(self, subject: Subject) -> bool:
        """Return whether a request cost a child its life, and must have one of its own."""
        return subject in self._suspects

    def is_separate(self, subject: Subject, *, now: float) -> bool:
        """Return whether a request must not share a child with other namespaces.

        That is one that never worked, of a namespace that cost several children their lives in the last
        minutes: it could go on with one URL after another.
        """
        losses = self._losses.get(subject[0])
        restless = losses is not None and len(losses) == _LOSSES and now - losses[0] < _LOSSES_SECONDS
        return restless and subject not in self._proven

    def is_slow(self, subject: Subject) -> bool:
        """Return whether the last request was slow."""
        return subject in self._slow

    def is_proven(self, subject: Subject) -> bool:
        """Return whether the request worked before."""
        return subject in self._proven

    def slow(self, subject: Subject) -> None:
        """Note that a request is slow."""
        self._slow[subject] = None

    def answered(self, subject: Subject, *, fast: bool, well: bool) -> None:
        """Note that a child survived the request, and whether it worked."""
        self._suspects.pop(subject, None)
        if fast:
            self._slow.pop(subject, None)
        if well:
            self._proven[subject] = None

    def blame(self, subject: Subject, *, now: float) -> None:
        """Note that a request cost a child its life."""
        self._suspects[subject] = None
        self._losses.setdefault(subject[0], deque(maxlen=_LOSSES)).append(now)
