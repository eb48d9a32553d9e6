"""One message for each cause, however many repositories it stops; the first after a time. Pure.

The repositories with a cause are named together, when one of them has failed for `hold_seconds`; later
changes at most once in `period_seconds`; and the end at once, when none is left. Times are seconds of one
clock, and come in as arguments.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from cachetools import LRUCache

from nopea.core.api.conditions import READY, find
from nopea.core.api.notify import NotificationKind, Severity
from nopea.core.api.status import GitRepositoryStatus
from nopea.core.api.times import parse_time
from nopea.core.notify.about import about
from nopea.core.notify.causes import FailureCause, causes_of
from nopea.core.notify.failures import (
    HOLD_SECONDS,
    error_facts,
    error_lines,
    failure,
    is_transient,
    reason_of,
    seconds_of,
    severity_of,
)
from nopea.core.notify.notification import MAX_REPOSITORIES, CodeText, Line, Notification
from nopea.core.notify.rate_limit import AlertState
from nopea.core.objects import RepoKey
from nopea.core.status.report import Result
from nopea.core.status.transition import Transition

GATHER_SECONDS: Final = 10.0
"""What a person must correct waits so long, for other repositories with the same cause."""
PERIOD_SECONDS: Final = 600.0
MAX_REMEMBERED: Final = 1000
_NAMED: Final = 15


@dataclass(frozen=True, slots=True)
class _Member:
    """A repository that fails: since when, and its last transition, without what is large in it."""

    since: float
    seen: Transition


@dataclass(slots=True)
class _Outage:
    members: dict[RepoKey, _Member] = field(default_factory=dict)
    told: dict[RepoKey, Transition] = field(default_factory=dict)
    """Those that the receivers take for failing."""
    namespaces: set[str] = field(default_factory=set)
    """Whose repositories the messages have named."""

    @property
    def namespace(self) -> str:
        """Whose the messages are; empty: of several namespaces."""
        return next(iter(self.namespaces)) if len(self.namespaces) == 1 else ""

    @property
    def news(self) -> list[RepoKey]:
        """The members that have not been told of."""
        return [key for key in self.members if key not in self.told]

    @property
    def left(self) -> list[RepoKey]:
        """Those that have been told of and do not fail any more."""
        return [key for key in self.told if key not in self.members]


class Outages:
    """The causes that are open for one set of receivers."""

    def __init__(self, *, hold_seconds: float = HOLD_SECONDS, period_seconds: float = PERIOD_SECONDS) -> None:
        self._hold = hold_seconds
        self._period = period_seconds
        self._open: dict[FailureCause, _Outage] = {}
        self._causes: dict[RepoKey, frozenset[FailureCause]] = {}
        self._last: LRUCache[FailureCause, float] = LRUCache(MAX_REMEMBERED)
        """When a failure was reported: it outlives the outage, which may begin again at once."""

    def observe(self, transition: Transition, *, now: float, is_first: bool = False) -> None:
        """Take in a transition. After a restart, `is_first`, what an earlier process told of is not news."""
        key = transition.repository.key
        is_over = transition.report is not None and transition.report.result is Result.DELETED
        if is_over or transition.repository.suspended:
            self.forget(key)
            return
        found = causes_of(transition)
        for cause in self._causes.get(key, frozenset()) - found.keys():
            self._open[cause].members.pop(key, None)
        seen = replace(transition, before=transition.after, report=None)
        for outage in self._open.values():
            if key in outage.told:
                outage.told[key] = seen
        told_before = causes_of(replace(transition, after=transition.before)) if is_first else {}
        for cause in found:
            outage = self._open.setdefault(cause, _Outage())
            known = outage.members.get(key)
            since = known.since if known else now - seconds_of(transition.after, at=transition.at)
            outage.members[key] = _Member(since, seen)
            if cause in told_before and _was_told(transition.before, self._wait(cause)):
                outage.told[key] = seen
        for cause in told_before.keys() - found.keys():
            if _was_told(transition.before, self._wait(cause)):
                self._open.setdefault(cause, _Outage()).told[key] = seen
        if found:
            self._causes[key] = frozenset(found)
        else:
            self._causes.pop(key, None)

    def forget(self, key: RepoKey) -> None:
        """Drop a repository that is gone, or not to be reported any more; its end is not told of."""
        self._causes.pop(key, None)
        for cause, outage in list(self._open.items()):
            outage.members.pop(key, None)
            outage.told.pop(key, None)
            if not outage.members and not outage.told:
                del self._open[cause]

    def take(self, *, now: float, at: datetime) -> Iterator[Notification]:
        """Yield what is to be told now; `at` is the same moment as a time of day."""
        for cause, outage in list(self._open.items()):
            due = self._due(cause, outage)
            if due is not None and due <= now:
                made = self._tell(cause, outage, now=now, at=at)
                if made is not None:
                    yield made
            if not outage.members and not outage.told:
                del self._open[cause]

    def next_at(self) -> float | None:
        """Return when `take` has something to tell; None while nothing is open."""
        due = (self._due(cause, outage) for cause, outage in self._open.items())
        return min((moment for moment in due if moment is not None), default=None)

    def _wait(self, cause: FailureCause) -> float:
        return self._hold if is_transient(cause.code) else min(GATHER_SECONDS, self._hold)

    def _due(self, cause: FailureCause, outage: _Outage) -> float | None:
        """Return when something is to be reported the cause; 0 for at once."""
        if not outage.members:
            return 0.0
        earliest = self._last.get(cause, float("-inf")) + self._period
        first = min((outage.members[key].since for key in outage.news), default=None)
        if first is not None:
            return max(first + self._wait(cause), earliest)
        return earliest if outage.left else None

    def _tell(self, cause: FailureCause, outage: _Outage, *, now: float, at: datetime) -> Notification | None:
        """Return the message about a cause whose time has come, and note what it tells."""
        if not outage.news and not outage.left:
            return None
        outage.namespaces |= {key.namespace for key in (*outage.members, *outage.told)}
        if outage.members:
            self._last[cause] = now
        made = (_failed if outage.news else _recovered)(cause, outage, at=at)
        outage.told = {key: member.seen for key, member in outage.members.items()}
        return made


def _failed(cause: FailureCause, outage: _Outage, *, at: datetime) -> Notification:
    """Return the message that names the repositories with a cause: the new ones first, then the oldest."""
    members = sorted(
        outage.members.items(), key=lambda item: (item[0] in outage.told, item[1].since, item[0])
    )
    keys = [key for key, _ in members]
    first = members[0][1].seen
    common = _common(cause, outage, keys, at=at)
    if len(keys) == 1 and not outage.left:
        return failure(first, {cause.code}, **common)
    error = causes_of(first)[cause]
    lines: list[Line] = [*error_lines(error), (f"Failing since {first.after.failing_since}: ", *_names(keys))]
    if outage.left:
        lines.append(("Without this problem again: ", *_names(outage.left)))
    lines.append(("What is applied stays. Nopea keeps trying.",))
    facts = {
        "failures": first.after.failures,
        "transient": is_transient(cause.code),
        "lastAppliedCommit": None,
        "problems": [error_facts(error)],
    }
    return about(
        first,
        kind=NotificationKind.FAILURE,
        severity=severity_of([cause.code]),
        lines=lines,
        facts=facts,
        alert_state=AlertState.FIRING,
        **{
            **common,
            "place": cause.place,
            "title": f"{_count(keys)} cannot sync ({reason_of(cause.code)})",
            "commit": None,
        },
    )


def _recovered(cause: FailureCause, outage: _Outage, *, at: datetime) -> Notification:
    """Return the message that names the repositories without the cause, and how many still have it."""
    keys, still = outage.left, len(outage.members)
    seen = [outage.told[key] for key in keys]
    is_alone = len(keys) == 1 and not still
    if any(each.after.failures or each.after.errors for each in seen):
        what = f"{_count(keys)} without {reason_of(cause.code)} again"
    else:
        what = "sync works again" if is_alone else f"{_count(keys)} synced again"
    rest = f", {still} not yet" if still else ""
    common = _common(cause, outage, keys, at=at)
    ready = find(seen[0].after.conditions, READY)
    summary = ready.message if is_alone and ready else ""
    lines: list[Line] = [(summary,)] if summary else [_names(keys)]
    facts = {"failures": still, "codes": [cause.code], "summary": summary}
    return about(
        seen[0],
        kind=NotificationKind.RECOVERY,
        severity=Severity.INFO,
        ends=severity_of([cause.code]),
        lines=lines,
        facts=facts,
        alert_state=AlertState.EVENT if still else AlertState.RESOLVED,
        **{
            **common,
            "place": str(keys[0]) if is_alone else cause.place,
            "title": f"{what}{rest}",
        },
    )


def _common(cause: FailureCause, outage: _Outage, keys: Sequence[RepoKey], *, at: datetime) -> dict[str, Any]:
    names = "\0".join(f"{key}" for key in (*sorted(outage.members), "", *sorted(outage.left)))
    return {
        "at": at,
        "cause": str(cause),
        "others": tuple(keys[1:MAX_REPOSITORIES]),
        "shared_namespace": outage.namespace,
        "fingerprint": hashlib.blake2b(names.encode(), digest_size=16).hexdigest(),
    }


def _names(keys: Sequence[RepoKey]) -> Line:
    parts: list[str | CodeText] = []
    for key in keys[:_NAMED]:
        parts += [", " if parts else "", CodeText(str(key))]
    if len(keys) > _NAMED:
        parts.append(f" and {len(keys) - _NAMED} more")
    return tuple(parts)


def _count(keys: Sequence[RepoKey]) -> str:
    return "1 GitRepository" if len(keys) == 1 else f"{len(keys)} GitRepositories"


def _was_told(status: GitRepositoryStatus, wait: float) -> bool:
    """Return whether an earlier process lived long enough to tell of a failure.

    It tried last when about half of the time from the first failure to the next attempt had passed, because
    each pause is twice as long as the one before.
    """
    since, following = parse_time(status.failing_since), parse_time(status.next_sync_time)
    return bool(since and following and following - since >= timedelta(seconds=2 * wait))
