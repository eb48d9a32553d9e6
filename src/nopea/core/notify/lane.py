"""What one set of receivers is sent, and when: a filter, the outages, and the rate limit. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from nopea.core.api.notify import DEFAULT_KINDS, NotificationKind, Severity
from nopea.core.notify.commit_status import CommitStatus
from nopea.core.notify.failures import HOLD_SECONDS
from nopea.core.notify.notification import Notification
from nopea.core.notify.outages import Outages
from nopea.core.notify.rate_limit import RateLimit, Released
from nopea.core.notify.rules import notifications_of
from nopea.core.objects import RepoKey
from nopea.core.status.transition import Transition

_RANK: Final = {Severity.INFO: 0, Severity.WARNING: 1, Severity.ERROR: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyFilter:
    """Which notifications somebody wants. The end of something is wanted if its beginning was."""

    kinds: frozenset[NotificationKind] = DEFAULT_KINDS
    severity: Severity = Severity.INFO

    def wants(self, notification: Notification) -> bool:
        """Return whether a notification is sent."""
        return self.wants_alert(notification.kind, notification.ends or notification.severity)

    def wants_alert(self, kind: NotificationKind, severity: Severity) -> bool:
        """Return whether something of this kind and severity is sent."""
        return kind in self.kinds and _RANK[severity] >= _RANK[self.severity]


class MessageLane:
    """The messages of one set of receivers, from transitions; times as in `Outages`."""

    def __init__(self, wanted: NotifyFilter, *, per_minute: int, hold_seconds: float = HOLD_SECONDS) -> None:
        self._wanted = wanted
        self._outages = Outages(hold_seconds=hold_seconds)
        self._limit = RateLimit[Notification | CommitStatus](per_minute=per_minute)

    @property
    def waiting(self) -> int:
        """The number of messages that the rate limit holds."""
        return self._limit.waiting

    def observe(self, transition: Transition, *, now: float, is_first: bool) -> None:
        """Take in a transition; `is_first` as in `Outages.observe`."""
        for notification in notifications_of(transition):
            self._offer(notification, now=now)
        self._outages.observe(transition, now=now, is_first=is_first)

    def offer_status(self, status: CommitStatus, *, now: float) -> None:
        """Take in a commit status, which shares the rate limit."""
        self._limit.offer(status, now=now)

    def forget(self, key: RepoKey) -> None:
        """Drop a repository that these receivers are not told of any more."""
        self._outages.forget(key)

    def take(self, *, now: float, at: datetime) -> Iterator[Released[Notification | CommitStatus]]:
        """Yield what may be sent now; `at` is the same moment as a time of day."""
        for notification in self._outages.take(now=now, at=at):
            self._offer(notification, now=now)
        yield from self._limit.take(now=now)

    def next_at(self, *, now: float) -> float | None:
        """Return when `take` may yield something; None while nothing waits."""
        moments = (self._outages.next_at(), self._limit.next_at(now=now))
        return min((moment for moment in moments if moment is not None), default=None)

    def _offer(self, notification: Notification, *, now: float) -> None:
        if self._wanted.wants(notification):
            self._limit.offer(notification, now=now)
