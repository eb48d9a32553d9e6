"""The one rate limit of all that is told to people and Git servers. A value with a bound; time comes in.

News is never lost because it came too soon: the newest of each subject waits its turn, so what was told last
becomes true at the latest when the quiet time is over. What is replaced or overflows is counted, and the next
message says how many those were.
"""

from __future__ import annotations

import enum
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Generic, Protocol, TypeVar

QUIET_SECONDS: Final = 600.0
MAX_WAITING: Final = 100
MAX_LASTING: Final = 2000
MAX_SUBJECTS: Final = 20_000
_REMEMBERED: Final = 8


class Role(enum.Enum):
    """What news is to other news of its subject."""

    NEWS = "news"
    OPENS = "opens"
    CLOSES = "closes"
    CLOSES_IF_TOLD = "closes if told"
    """The end of something of which nobody need hear who has not heard of its beginning."""


class Limited(Protocol):
    """What passes the limit. `subject` is what it is about, `same` tells equal content.

    `lasting` is what need not be told twice, however long ago it was; it goes after what is not.
    """

    @property
    def subject(self) -> str:
        """Name what it is about."""

    @property
    def same(self) -> str:
        """Name its content."""

    @property
    def role(self) -> Role:
        """Say what it is to other news of its subject."""

    @property
    def lasting(self) -> bool:
        """Say whether it need not be told twice."""


T = TypeVar("T", bound=Limited)


@dataclass(frozen=True, slots=True)
class Released(Generic[T]):
    """What may go now, and how many were held back before it."""

    item: T
    held_back: int


@dataclass(slots=True)
class _Subject(Generic[T]):
    sent: OrderedDict[str, float] = field(default_factory=OrderedDict)
    """When what was told, the last of it last."""
    waiting: T | None = None
    is_open: bool = False
    held_back: int = 0

    def due_at(self, quiet: float) -> float:
        """When what waits may go: at once, or when its like was told long enough ago."""
        if self.waiting is None or self.waiting.same not in self.sent:
            return 0.0
        return self.sent[self.waiting.same] + quiet

    def is_told(self, item: T, *, now: float, quiet: float) -> bool:
        """Whether the item is what was told last, lately."""
        last = next(reversed(self.sent), None)
        return last == item.same and (item.lasting or now < self.sent[last] + quiet)


class RateLimit(Generic[T]):
    """At most `per_minute` messages, all at once if need be; the same of a subject once in a quiet time."""

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
        """How many items wait."""
        return sum(map(len, self._waiting.values()))

    def offer(self, item: T, *, now: float) -> None:
        """Let an item wait its turn, unless it is as was told; it replaces what waits of its subject."""
        subject = self._subject(item.subject)
        subject.held_back += self._withdraw(item.subject, subject)
        if item.role is Role.CLOSES_IF_TOLD and not subject.is_open:
            return
        if subject.is_told(item, now=now, quiet=self._quiet):
            subject.held_back += not item.lasting
            return
        subject.waiting = item
        queue = self._waiting[item.lasting]
        queue[item.subject] = None
        if len(queue) > (MAX_LASTING if item.lasting else MAX_WAITING):
            oldest = self._subjects[next(iter(queue))]
            self._overflowed += self._withdraw(next(iter(queue)), oldest)

    def take(self, *, now: float) -> Iterator[Released[T]]:
        """Yield what may go now, news before what is lasting, each in the order of its coming."""
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
        """Return when `take` may yield something; None while nothing waits."""
        self._fill(now)
        due = [self._subjects[name].due_at(self._quiet) for queue in self._waiting.values() for name in queue]
        if not due:
            return None
        missing = max(1 - self._tokens, 0.0)
        return max(min(due), now + missing / self._per_second)

    def _subject(self, name: str) -> _Subject[T]:
        found = self._subjects.setdefault(name, _Subject())
        self._subjects.move_to_end(name)
        while len(self._subjects) > MAX_SUBJECTS:  # what waits is far less: the oldest that does not goes
            idle = next(key for key, one in self._subjects.items() if one.waiting is None)
            del self._subjects[idle]
        return found

    def _withdraw(self, name: str, subject: _Subject[T]) -> int:
        """Take back what waits; return whether that was something that a reader misses."""
        if subject.waiting is None:
            return 0
        lasting = subject.waiting.lasting
        del self._waiting[lasting][name]
        subject.waiting = None
        return int(not lasting)

    def _release(self, name: str, subject: _Subject[T], now: float) -> Released[T]:
        item = subject.waiting
        assert item is not None  # noqa: S101 - the queues hold exactly what waits
        self._withdraw(name, subject)
        subject.sent[item.same] = now
        subject.sent.move_to_end(item.same)
        while len(subject.sent) > _REMEMBERED:
            subject.sent.popitem(last=False)
        if item.role is not Role.NEWS:
            subject.is_open = item.role is Role.OPENS
        if item.lasting:
            return Released(item, 0)
        held_back = subject.held_back + self._overflowed
        subject.held_back = self._overflowed = 0
        return Released(item, held_back)

    def _fill(self, now: float) -> None:
        if self._filled_at is not None:
            passed = max(now - self._filled_at, 0.0)
            self._tokens = min(self._tokens + passed * self._per_second, self._size)
        self._filled_at = now
