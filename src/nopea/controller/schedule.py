"""When to look again: polls with jitter, retries with backoff for ever. Values only, no clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nopea.core.duration import backoff_seconds

POLL_JITTER = 0.1
RECONCILE_POLLS = 2
FIRST_RETRY_SECONDS = 1.0
RETRY_JITTER = 0.2
LEAST_STALLED_SECONDS = 60.0
"""The least wait after an error that only settings mend, unless the spec says how often to retry."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The rhythm of one repository; `random` returns a float in [0, 1) and is the only randomness.

    `retry_interval_seconds` is the longest wait after a failure; None means the interval.
    """

    interval_seconds: float
    random: Callable[[], float]
    retry_interval_seconds: float | None = None

    def poll_seconds(self) -> float:
        """Return the wait until the next poll: the interval ± 10 %, so that repositories spread out."""
        return self.interval_seconds * (1 + POLL_JITTER * (2 * self.random() - 1))

    def reconcile_seconds(self) -> float:
        """Return the wait until every object is compared again: two polls."""
        return RECONCILE_POLLS * self.poll_seconds()

    @property
    def longest_retry_seconds(self) -> float:
        """The longest wait after a failure."""
        longest = self.retry_interval_seconds
        return self.interval_seconds if longest is None else longest

    def retry_seconds(self, failures: int) -> float:
        """Return the wait after failures in a row (≥ 1): 1 s doubling up to the longest wait, ± 20 %."""
        return self._jittered(
            backoff_seconds(failures, first=FIRST_RETRY_SECONDS, most=self.longest_retry_seconds)
        )

    def slow_retry_seconds(self) -> float:
        """Return the wait after a failure that a retry does not mend: the longest wait, ± 20 %."""
        return self._jittered(self.longest_retry_seconds)

    def stalled_retry_seconds(self) -> float:
        """Return the wait after a failure that only a change of settings mends; such a change wakes."""
        least = LEAST_STALLED_SECONDS if self.retry_interval_seconds is None else 0.0
        return self._jittered(max(self.longest_retry_seconds, least))

    def _jittered(self, seconds: float) -> float:
        return seconds * (1 + RETRY_JITTER * (2 * self.random() - 1))
