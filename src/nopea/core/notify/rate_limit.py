"""The rate limit of notifications and commit statuses: pure, bounded, time comes in as an argument.

A message is never lost because it came too early: the latest of each subject waits, so that receivers learn
the current state when the quiet time ends at the latest. Messages that are replaced or overflow are counted,
and the next notification carries their number.
"""

from __future__ import annotations

import enum
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Generic, Protocol, TypeVar

QUIET_SECONDS: Final = 600.0
MAX_WAITING: Final = 100
MAX_WAITING_ONCE: Final = 2000
"""The same for messages that are sent once."""
MAX_SUBJECTS: Final = 20_000
_REMEMBERED: Final = 8


class AlertState(enum.Enum):
    """What a message means for the alert of its subject."""

    EVENT = "event"
    """It neither begins nor ends an alert."""
    FIRING = "firing"
    RESOLVED = "resolved"
    RESOLVED_IF_FIRING = "resolved if firing"
    """Sent only if the last alert of the subject that was sent is firing."""


class Limited(Protocol):
    """A message that the rate limit holds back or releases."""

    @property
    def subject(self) -> str:
        """What it is about; the latest message of a subject replaces the one that waits."""

    @property
    def fingerprint(self) -> str:
        """Its content: messages of one subject with equal fingerprints are repetitions."""

    @property
    def alert_state(self) -> AlertState:
        """What it means for the alert of its subject."""

    @property
    def sent_once(self) -> bool:
        """True if a repetition is never sent, however late; such messages are released after the others."""


T = TypeVar("T", bound=Limited)


@dataclass(frozen=True, slots=True)
class Released(Generic[T]):
    """A message that may be sent now, and how many were held back before it."""

    item: T
    held_back: int


@dataclass(slots=True)
class _Subject(Generic[T]):
    sent: OrderedDict[str, float] = field(default_factory=OrderedDict)
    """When each fingerprint was sent, the latest last."""
    waiting: T | None = None
    is_firing: bool = False
    held_back: int = 0

    def due_at(self, quiet: float) -> float:
        """Return when the waiting message may be sent: 0 for at once, else at the end of the quiet time."""
        if self.waiting is None or self.waiting.fingerprint not in self.sent:
            return 0.0
        return self.sent[self.waiting.fingerprint] + quiet

    def is_repetition(self, item: T, *, now: float, quiet: float) -> bool:
        """Return whether the last message that was sent says the same and is recent."""
        last = next(reversed(self.sent), None)
        return last == item.fingerprint and (item.sent_once or now < self.sent[last] + quiet)


class RateLimit(Generic[T]):
    """A token bucket of `per_minute` messages; a subject repeats nothing within its quiet time."""

    def __init__(self, *, per_minute: int, quiet_seconds: float = QUIET_SECONDS) -> None:
        self._per_second = per_minute / 60
        self._size = float(per_minute)
        self._quiet = quiet_seconds
        self._tokens = self._size
        self._filled_at: float | None = None
        self._subjects: OrderedDict[str, _Subject[T]] = OrderedDict()
        self._waiting: dict[bool, OrderedDict[str, None]] = {False: OrderedDict(), True: OrderedDict()}
        self._overflowed = 0

    @property
    def waiting(self) -> int:
        """The number of messages that wait."""
        return sum(map(len, self._waiting.values()))

    def offer(self, item: T, *, now: float) -> None:
        """Let a message wait unless it is a repetition; it replaces the waiting message of its subject."""
        subject = self._subject(item.subject)
        subject.held_back += self._withdraw(item.subject, subject)
        if item.alert_state is AlertState.RESOLVED_IF_FIRING and not subject.is_firing:
            return
        if subject.is_repetition(item, now=now, quiet=self._quiet):
            subject.held_back += not item.sent_once
            return
        subject.waiting = item
        queue = self._waiting[item.sent_once]
        queue[item.subject] = None
        if len(queue) > (MAX_WAITING_ONCE if item.sent_once else MAX_WAITING):
            oldest = self._subjects[next(iter(queue))]
            self._overflowed += self._withdraw(next(iter(queue)), oldest)

    def take(self, *, now: float) -> Iterator[Released[T]]:
        """Yield the messages that may be sent now, those that are sent once last, each group in its order."""
        self._fill(now)
        for queue in self._waiting.values():
            for name in list(queue):
                subject = self._subjects[name]
                if self._tokens < 1:
                    return
                if subject.due_at(self._quiet) <= now:
                    self._tokens -= 1
                    yield self._release(name, subject, now)

    def next_at(self, *, now: float) -> float | None:
        """Return when `take` may yield a message; None while none waits."""
        self._fill(now)
        due = [self._subjects[name].due_at(self._quiet) for queue in self._waiting.values() for name in queue]
        if not due:
            return None
        missing = max(1 - self._tokens, 0.0)
        return max(min(due), now + missing / self._per_second)

    def _subject(self, name: str) -> _Subject[T]:
        subject = self._subjects.setdefault(name, _Subject())
        self._subjects.move_to_end(name)
        while len(self._subjects) > MAX_SUBJECTS:  # far fewer wait: drop the oldest that does not
            idle = next(key for key, old in self._subjects.items() if old.waiting is None)
            del self._subjects[idle]
        return subject

    def _withdraw(self, name: str, subject: _Subject[T]) -> int:
        """Drop the waiting message; return 1 if it counts as held back, else 0."""
        if subject.waiting is None:
            return 0
        sent_once = subject.waiting.sent_once
        del self._waiting[sent_once][name]
        subject.waiting = None
        return int(not sent_once)

    def _release(self, name: str, subject: _Subject[T], now: float) -> Released[T]:
        item = subject.waiting
        assert item is not None  # noqa: S101 - the queues hold exactly what waits
        self._withdraw(name, subject)
        subject.sent[item.fingerprint] = now
        subject.sent.move_to_end(item.fingerprint)
        while len(subject.sent) > _REMEMBERED:
            subject.sent.popitem(last=False)
        if item.alert_state is not AlertState.EVENT:
            subject.is_firing = item.alert_state is AlertState.FIRING
        if item.sent_once:
            return Released(item, 0)
        held_back = subject.held_back + self._overflowed
        subject.held_back = self._overflowed = 0
        return Released(item, held_back)

    def _fill(self, now: float) -> None:
        if self._filled_at is not None:
            passed = max(now - self._filled_at, 0.0)
            self._tokens = min(self._tokens + passed * self._per_second, self._size)
        self._filled_at = now
