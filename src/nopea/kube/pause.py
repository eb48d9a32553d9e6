"""Pauses between retries: exponential backoff with jitter and an upper bound."""

from __future__ import annotations

import asyncio
import random

from nopea.core.duration import backoff_seconds


class Backoff:
    """Doubles from `first_seconds` to `most_seconds`; a pause is a random part, at least half, of that."""

    def __init__(self, *, first_seconds: float, most_seconds: float) -> None:
        self._first, self._most = first_seconds, most_seconds
        self.failures = 0

    def next_seconds(self) -> float:
        """Count a failure and return how long to wait after it."""
        self.failures += 1
        ceiling = backoff_seconds(self.failures, first=self._first, most=self._most)
        return random.uniform(ceiling / 2, ceiling)  # noqa: S311 - spreads load, guards nothing

    def reset(self) -> None:
        """Forget the failures, after a success."""
        self.failures = 0

    async def sleep(self, seconds: float) -> None:
        """Wait; yields to the event loop even for 0 seconds."""
        await asyncio.sleep(seconds)
