"""What a sink's answer means for the message that was sent, and how long a message is tried.

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
    """What to do after an answer."""

    DELIVERED = "delivered"
    RETRY = "retry"
    REFUSED = "refused"
    """This message will never be taken; others may be."""
    GONE = "gone"
    """The sink wants no message ever again (HTTP 410)."""


class DropReason(enum.Enum):
    """Why a message was not delivered; the values are labels of a metric."""

    FULL = "full"
    """It was the oldest when the queue had no place for a new one."""
    TOO_BIG = "too_big"
    REFUSED = "refused"
    EXPIRED = "expired"
    """It was tried for as long as the policy says."""
    STOPPED = "stopped"
    """The sink had answered 410."""
    SHUTDOWN = "shutdown"
    """The process ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPolicy:
    """How one sink is served. The defaults lose nothing while a sink is away for an hour.

    A message is tried at least once, and again until it is `life_seconds` old. Pauses are random between 0
    and a ceiling that doubles from `first_seconds` to `most_seconds` (full jitter: many senders that lost
    the same sink do not come back all at once), or what `Retry-After` says, up to
    `retry_after_most_seconds`.
    """

    most_messages: int = 10_000
    """A thousand repositories that start at once tell a handful of things each."""
    most_bytes: int = 16 * 1024 * 1024
    attempt_seconds: float = 10.0
    life_seconds: float = 3600.0
    first_seconds: float = 1.0
    most_seconds: float = 60.0
    retry_after_most_seconds: float = 300.0
    mendable: frozenset[int] = frozenset({401, 403, 404})
    """Refusals that a person can end at the sink (a token, a route): retried. Where one queue serves many
    addresses, leave this empty, or one of them holds up the others."""
    gone_stops: bool = True
    """410 ends the sink for this process; False: it only refuses the one message."""

    def verdict(self, status: int) -> DeliveryVerdict:
        """Return what an HTTP status means; a redirect is a refusal, for it is never followed."""
        if 200 <= status < 300:
            return DeliveryVerdict.DELIVERED
        if status == 410:
            return DeliveryVerdict.GONE if self.gone_stops else DeliveryVerdict.REFUSED
        if status >= 500 or status in (408, 425, 429) or status in self.mendable:
            return DeliveryVerdict.RETRY
        return DeliveryVerdict.REFUSED

    def ceiling_seconds(self, failures: int) -> float:
        """Return the longest pause after so many failures in a row."""
        return backoff_seconds(failures, first=self.first_seconds, most=self.most_seconds)

    def retry_after_seconds(self, header: str, *, now: datetime) -> float | None:
        """Return the pause that a `Retry-After` asks for (RFC 9110, 10.2.3), cut to what is allowed.

        None when the header is empty or makes no sense; then the ordinary pause holds.
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
    """What one outbox has done since the process began, and what waits in it."""

    queued: int = 0
    queued_bytes: int = 0
    delivered: int = 0
    retried: int = 0
    """Tries that failed and were followed, or will be, by another."""
    dropped: Mapping[DropReason, int] = field(default_factory=lambda: MappingProxyType({}))
    stopped: bool = False
