"""When to look again: polls with jitter, retries with backoff for ever. Values only, no clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nopea.core.duration import backoff_seconds

POLL_JITTER = 0.1
RECONCILE_POLLS = 2
FIRST_RETRY_SECONDS = 1.0
RETRY_JITTER = 0.2


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
        backoff = backoff_seconds(failures, first=FIRST_RETRY_SECONDS, most=self.longest_retry_seconds)
        return backoff * (1 + RETRY_JITTER * (2 * self.random() - 1))
