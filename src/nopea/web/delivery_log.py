"""Logs webhook deliveries, at a bounded rate: a flood of requests must not become a flood of log lines."""

from __future__ import annotations

from collections.abc import Callable, Collection

from cachetools import TTLCache

from nopea import log_events
from nopea.core.objects import RepoKey
from nopea.core.problem import Problem
from nopea.core.webhooks.delivery import loggable
from nopea.logs import Log

log = Log(__name__)

_MAX_ADDRESS = 160
MAX_NAMESPACES = 1_024
NAMESPACE_SECONDS = 60.0


class TokenBucket:
    """Allows `burst` events at once and one more every `seconds`; counts those that it does not allow."""

    def __init__(self, clock: Callable[[], float], *, burst: int, seconds: float) -> None:
        self._clock = clock
        self._burst = float(burst)
        self._seconds = seconds
        self._tokens = self._burst
        self._filled_at = clock()
        self._suppressed = 0

    def take(self) -> int | None:
        """Return the number suppressed since the last allowed event; None if this one is suppressed too."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) / self._seconds)
        self._filled_at = now
        if self._tokens < 1:
            self._suppressed += 1
            return None
        self._tokens -= 1
        suppressed, self._suppressed = self._suppressed, 0
        return suppressed


class _Limit:
    """A bucket that all share, beside which each namespace has one line a minute, whatever others cause."""

    def __init__(self, clock: Callable[[], float], *, burst: int, seconds: float) -> None:
        self._bucket = TokenBucket(clock, burst=burst, seconds=seconds)
        self._heard: TTLCache[str, None] = TTLCache(MAX_NAMESPACES, NAMESPACE_SECONDS, timer=clock)

    def take(self, namespace: str) -> int | None:
        """Return as `TokenBucket.take`; an empty namespace has no line of its own."""
        suppressed = self._bucket.take()
        if suppressed is None and namespace and namespace not in self._heard:
            suppressed = 0
        if suppressed is not None and namespace:
            self._heard[namespace] = None
        return suppressed


class DeliveryLog:
    """Writes one line for a delivery; `clock` is monotonic, in seconds.

    `namespace` is that of an existing GitRepository, or empty: its number bounds the lines.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._ignored = _Limit(clock, burst=100, seconds=0.5)
        self._refused = _Limit(clock, burst=20, seconds=3.0)

    def received(
        self,
        path: str,
        provider: str,
        woken: Collection[RepoKey],
        *,
        planned: Collection[RepoKey] = (),
        ignored: str,
        seconds: float,
        namespace: str = "",
    ) -> None:
        """Log a genuine delivery; those without an effect are limited, because some pings are unsigned."""
        suppressed = 0 if woken or planned else self._ignored.take(namespace)
        if suppressed is not None:
            log.write(
                log_events.webhook_received,
                address=loggable(path, longest=_MAX_ADDRESS),
                provider=provider,
                woken=woken,
                planned=planned,
                ignored=ignored,
                seconds=round(seconds, 4),
                suppressed=suppressed,
            )

    def refused(self, path: str, problem: Problem, *, status: int, namespace: str = "") -> None:
        """Log a refused delivery; `status` is that of the response."""
        suppressed = self._refused.take(namespace)
        if suppressed is not None:
            log.write(
                log_events.webhook_refused,
                address=loggable(path, longest=_MAX_ADDRESS),
                status=status,
                code=problem.code,
                problem=problem.message,
                hint=problem.hint,
                suppressed=suppressed,
            )
