"""What the response of a sink means for a message, and how long delivery is attempted.

Pure: sends nothing, waits for nothing, rolls no dice. `notify/outbox.py` acts on it.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType

from nopea.core.duration import backoff_seconds


class DeliveryVerdict(enum.Enum):
    """What to do after a response."""

    DELIVERED = "delivered"
    RETRY = "retry"
    REFUSED = "refused"
    """The sink will never accept this message; it may accept others."""
    GONE = "gone"
    """The sink accepts no message any more (HTTP 410)."""


class DropReason(enum.Enum):
    """Why a message was not delivered; the values are labels of a metric."""

    FULL = "full"
    """It was the oldest when the queue had no room for a new one."""
    TOO_BIG = "too_big"
    REFUSED = "refused"
    EXPIRED = "expired"
    """It was not delivered within its lifetime."""
    STOPPED = "stopped"
    """The sink had answered 410."""
    SHUTDOWN = "shutdown"
    """The process ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPolicy:
    """How messages are delivered to one sink. The defaults lose nothing while a sink is down for an hour.

    Delivery is attempted at least once, and again until the message is `life_seconds` old. Pauses are random
    between 0 and a ceiling that doubles from `first_seconds` to `most_seconds` (full jitter: many outboxes
    that lost the same sink do not come back all at once), or what `Retry-After` says, up to
    `retry_after_most_seconds`.
    """

    most_messages: int = 10_000
    """Enough for a thousand repositories that start at once with a handful of messages each."""
    most_bytes: int = 16 * 1024 * 1024
    attempt_seconds: float = 10.0
    life_seconds: float = 3600.0
    first_seconds: float = 1.0
    most_seconds: float = 60.0
    retry_after_most_seconds: float = 300.0
    correctable: frozenset[int] = frozenset({401, 403, 404})
    """Refusals that can be corrected at the sink (a token, a route) are retried. Leave this empty for a queue
    with many addresses, or one of them holds up the others."""
    gone_stops: bool = True
    """True: 410 stops the sink until a restart; False: it refuses only the one message."""

    def verdict(self, status: int) -> DeliveryVerdict:
        """Return what an HTTP status means; a redirect is a refusal because redirects are not followed."""
        if 200 <= status < 300:
            return DeliveryVerdict.DELIVERED
        if status == 410 and self.gone_stops:
            return DeliveryVerdict.GONE
        if status >= 500 or status in (408, 425, 429) or status in self.correctable:
            return DeliveryVerdict.RETRY
        return DeliveryVerdict.REFUSED

    def ceiling_seconds(self, failures: int) -> float:
        """Return the longest pause after so many failures in a row."""
        return backoff_seconds(failures, first=self.first_seconds, most=self.most_seconds)

    def retry_after_seconds(self, header: str, *, now: datetime) -> float | None:
        """Return the pause that a `Retry-After` asks for (RFC 9110, 10.2.3), up to the allowed maximum.

        None if the header is empty or invalid; then the usual pause applies.
        """
        text = header.strip()
        if not text:
            return None
        seconds = _seconds(text) if text.isascii() and text.isdigit() else _until(text, now=now)
        return None if seconds is None else min(max(seconds, 0.0), self.retry_after_most_seconds)


def _seconds(digits: str) -> float:
    return float(digits) if len(digits) < 10 else math.inf


def _until(text: str, *, now: datetime) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    # an HTTP date is always GMT; the parser leaves a date without a zone naive
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryStats:
    """What one outbox has done since the process started, and what is queued."""

    queued: int = 0
    queued_bytes: int = 0
    delivered: int = 0
    retried: int = 0
    """Attempts that failed and are repeated."""
    dropped: Mapping[DropReason, int] = field(default_factory=lambda: MappingProxyType({}))
    stopped: bool = False
