"""How often something may be said: a flood of refusals must not become a flood of log lines."""

from __future__ import annotations

from collections.abc import Callable


class Allowance:
    """Allows `burst` at once and one more every `seconds`; counts what it does not allow."""

    def __init__(self, clock: Callable[[], float], *, burst: int, seconds: float) -> None:
        self._clock = clock
        self._burst = float(burst)
        self._seconds = seconds
        self._left = self._burst
        self._at = clock()
        self._kept_back = 0

    def take(self) -> int | None:
        """Return how many were kept back since the last one that was allowed; None: this one is, too."""
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._at) / self._seconds)
        self._at = now
        if self._left < 1:
            self._kept_back += 1
            return None
        self._left -= 1
        kept_back, self._kept_back = self._kept_back, 0
        return kept_back
