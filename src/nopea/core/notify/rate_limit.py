"""The rate limit of notifications and commit statuses: pure, bounded, time comes in as an argument.

A message is never lost because it came too early: the latest of each subject waits, so that receivers learn
the current state when the quiet time ends at the latest. Messages that are replaced or overflow are counted,
and the next notification of the namespace carries their number.
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
_MOST_IN_A_ROW: Final = 3
"""Then comes a message that is sent once, so that alerts without end do not hold all of them back."""


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
    def namespace(self) -> str:
        """Whose it is: namespaces share the limit."""

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
        """True if a repetition is never sent, however late; such messages let the others pass."""


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


class _Namespace(Generic[T]):
    """The subjects of one namespace, and the names of those that wait, the oldest first."""

    __slots__ = ("overflowed", "subjects", "waiting")

    def __init__(self) -> None:
        self.subjects: OrderedDict[str, _Subject[T]] = OrderedDict()
        self.waiting: dict[bool, OrderedDict[str, None]] = {False: OrderedDict(), True: OrderedDict()}
        self.overflowed = 0

    @property
    def idle(self) -> int:
        """The number of subjects that do not wait."""
        return len(self.subjects) - sum(map(len, self.waiting.values()))

    def due(self, *, sent_once: bool, now: float, quiet: float) -> str | None:
        """Return the subject whose message has waited longest and may be sent now; None if there is none."""
        names = self.waiting[sent_once]
        return next((name for name in names if self.subjects[name].due_at(quiet) <= now), None)


class RateLimit(Generic[T]):
    """A token bucket of `per_minute` messages; a subject repeats nothing within its quiet time.

    Namespaces share the bucket and the room for what waits: the one whose last message was sent longest ago
    comes first, and the one that holds the most makes room.
    """

    def __init__(self, *, per_minute: int, quiet_seconds: float = QUIET_SECONDS) -> None:
        self._per_second = per_minute / 60
        self._size = float(per_minute)
        self._quiet = quiet_seconds
        self._tokens = self._size
        self._filled_at: float | None = None
        self._namespaces: OrderedDict[str, _Namespace[T]] = OrderedDict()
        """The namespaces, ordered by their last message, the oldest first."""
        self._waiting = {False: 0, True: 0}
        self._subjects = 0
        self._in_a_row = 0

    @property
    def waiting(self) -> int:
        """The number of messages that wait."""
        return sum(self._waiting.values())

    @property
    def subjects(self) -> int:
        """The number of subjects that are remembered."""
        return self._subjects

    def offer(self, item: T, *, now: float) -> None:
        """Let a message wait unless it is a repetition; it replaces the waiting message of its subject."""
        namespace, subject = self._subject(item)
        subject.held_back += self._withdraw(namespace, item.subject, subject)
        if item.alert_state is AlertState.RESOLVED_IF_FIRING and not subject.is_firing:
            return
        if subject.is_repetition(item, now=now, quiet=self._quiet):
            subject.held_back += not item.sent_once
            return
        subject.waiting = item
        namespace.waiting[item.sent_once][item.subject] = None
        self._waiting[item.sent_once] += 1
        if self._waiting[item.sent_once] > (MAX_WAITING_ONCE if item.sent_once else MAX_WAITING):
            self._make_room(sent_once=item.sent_once)

    def take(self, *, now: float) -> Iterator[Released[T]]:
        """Yield the messages that may be sent now: the namespaces in turn, and of each in its order.

        Messages that are sent once wait for the others, but not for more than a few in a row.
        """
        self._fill(now)
        while self._tokens >= 1 and (found := self._next(now)) is not None:
            name, subject = found
            self._tokens -= 1
            self._namespaces.move_to_end(name)
            yield self._release(self._namespaces[name], subject, now)

    def next_at(self, *, now: float) -> float | None:
        """Return when `take` may yield a message; None while none waits."""
        self._fill(now)
        due = [
            namespace.subjects[name].due_at(self._quiet)
            for namespace in self._namespaces.values()
            for names in namespace.waiting.values()
            for name in names
        ]
        if not due:
            return None
        missing = max(1 - self._tokens, 0.0)
        return max(min(due), now + missing / self._per_second)

    def _next(self, now: float) -> tuple[str, str] | None:
        """Return the namespace and the subject of the message that is sent next."""
        once_first = self._in_a_row >= _MOST_IN_A_ROW
        for sent_once in (once_first, not once_first):
            if not self._waiting[sent_once]:
                continue
            for name, namespace in self._namespaces.items():
                subject = namespace.due(sent_once=sent_once, now=now, quiet=self._quiet)
                if subject is not None:
                    self._in_a_row = 0 if sent_once else self._in_a_row + 1
                    return name, subject
        return None

    def _subject(self, item: T) -> tuple[_Namespace[T], _Subject[T]]:
        namespace = self._namespaces.get(item.namespace)
        if namespace is None:
            namespace = self._namespaces[item.namespace] = _Namespace()
            self._namespaces.move_to_end(item.namespace, last=False)
        if item.subject not in namespace.subjects:
            namespace.subjects[item.subject] = _Subject()
            self._subjects += 1
        namespace.subjects.move_to_end(item.subject)
        subject = namespace.subjects[item.subject]
        while self._subjects > MAX_SUBJECTS:  # far fewer wait: drop the oldest that does not
            self._forget_one(besides=subject)
        return namespace, subject

    def _forget_one(self, *, besides: _Subject[T]) -> None:
        name, largest = max(self._namespaces.items(), key=lambda pair: pair[1].idle)
        idle = (key for key, old in largest.subjects.items() if old.waiting is None and old is not besides)
        del largest.subjects[next(idle)]
        self._subjects -= 1
        if not largest.subjects:
            del self._namespaces[name]

    def _make_room(self, *, sent_once: bool) -> None:
        """Drop the oldest waiting message of the namespace that holds the most."""
        largest = max(self._namespaces.values(), key=lambda namespace: len(namespace.waiting[sent_once]))
        oldest = next(iter(largest.waiting[sent_once]))
        largest.overflowed += self._withdraw(largest, oldest, largest.subjects[oldest])

    def _withdraw(self, namespace: _Namespace[T], name: str, subject: _Subject[T]) -> int:
        """Drop the waiting message; return 1 if it counts as held back, else 0."""
        if subject.waiting is None:
            return 0
        sent_once = subject.waiting.sent_once
        del namespace.waiting[sent_once][name]
        self._waiting[sent_once] -= 1
        subject.waiting = None
        return int(not sent_once)

    def _release(self, namespace: _Namespace[T], name: str, now: float) -> Released[T]:
        subject = namespace.subjects[name]
        item = subject.waiting
        assert item is not None  # noqa: S101 - the queues hold exactly what waits
        self._withdraw(namespace, name, subject)
        subject.sent[item.fingerprint] = now
        subject.sent.move_to_end(item.fingerprint)
        while len(subject.sent) > _REMEMBERED:
            subject.sent.popitem(last=False)
        if item.alert_state is not AlertState.EVENT:
            subject.is_firing = item.alert_state is AlertState.FIRING
        if item.sent_once:
            return Released(item, 0)
        held_back = subject.held_back + namespace.overflowed
        subject.held_back = namespace.overflowed = 0
        return Released(item, held_back)

    def _fill(self, now: float) -> None:
        if self._filled_at is not None:
            passed = max(now - self._filled_at, 0.0)
            self._tokens = min(self._tokens + passed * self._per_second, self._size)
        self._filled_at = now
