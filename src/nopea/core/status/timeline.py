"""What happened to a GitRepository, oldest first: its status and its Kubernetes Events as one list. Pure.

Events name objects and live for about an hour. The status remembers longer, and knows commits, authors and
triggers. What both tell is one entry, the Event, with the commit and the trigger of its sync.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain

from nopea.core.api.entries import HistoryEntry, RevisionEntry
from nopea.core.api.repository import Repository
from nopea.core.api.times import parse_time
from nopea.core.duration import parse_duration
from nopea.core.git.source import SHORT_COMMIT
from nopea.core.objects import RepoKey
from nopea.core.status.concerns import drift_sentence
from nopea.core.status.report import Result
from nopea.core.trigger import Trigger

_REPORTED_WITHIN = timedelta(seconds=10)
"""How long after a sync its Events and its revision may be dated: the status is written first."""
_COUNTED_WITHIN = timedelta(seconds=70)
"""How far the count of a repeated Event may be behind: the recorder writes it once in a minute."""
_ROUNDING = timedelta(seconds=1)
"""The times of the history are in whole seconds."""
_ULID = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ULID_TIME = 10
_LONG_SYNC = timedelta(minutes=10)
"""How long before a revision counts as applied its sync may have started."""
_APPLIES = frozenset({"Synced", "Changed", "Recovered"})
_HEALED, _DRIFTED = "DriftHealed", "DriftDetected"
_NO_FAILURES = frozenset({_DRIFTED, "Unhealthy", "Contended"})
"""Warnings that do not say why a sync failed."""
_HEALING = frozenset({Trigger.OBJECT_CHANGE.value, Trigger.HEAL.value})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedEvent:
    """A Kubernetes Event about a GitRepository: `count` times between `first` and `last`."""

    repository: RepoKey
    first: datetime
    last: datetime
    count: int
    warning: bool
    reason: str
    action: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """One thing that happened, `count` times between `first` and `last`.

    Without `exact` the status does not record when: not before `first`. `subject` is the first line of the
    message of the commit that was applied.
    """

    repository: RepoKey
    first: datetime
    last: datetime
    reason: str
    message: str
    count: int = 1
    warning: bool = False
    exact: bool = True
    commit: str = ""
    subject: str = ""
    author: str = ""
    trigger: str = ""


@dataclass(frozen=True, slots=True)
class _Sync:
    """A sync of the history; what is dated between `start` and `end` may be of it."""

    entry: HistoryEntry
    start: datetime
    end: datetime

    @property
    def succeeded(self) -> bool:
        return self.entry.outcome == Result.SYNCED

    @property
    def heals(self) -> bool:
        """Whether the sync did nothing but revert drift."""
        return self.succeeded and set(self.entry.trigger.split(",")) <= _HEALING

    def reported(self, events: Iterable[TimelineEntry]) -> list[TimelineEntry]:
        """Return the Events that this sync has caused."""
        return [each for each in events if self._may_cause(each)]

    def _may_cause(self, event: TimelineEntry) -> bool:
        if event.warning and event.count > 1:
            return event.first <= self.end and self.start <= event.last + _COUNTED_WITHIN
        return any(self.start <= moment <= self.end for moment in (event.first, event.last))


def timeline(repository: Repository, events: Iterable[ReportedEvent]) -> list[TimelineEntry]:
    """Return what happened to one repository, oldest first."""
    key, status = repository.key, repository.status
    told = [_of_event(event) for event in events if event.repository == key]
    syncs = _syncs(status.history)
    reverted = {id(revision): list(revision.reverted) for revision in status.revisions}
    entries = list(told)
    for sync in reversed(syncs):
        revision = _revision_of(sync, status.revisions)
        lines = _taken(sync, revision, reverted)
        mine = sync.reported(entries[: len(told)])
        if not _is_told(sync, mine):
            entries += _of_sync(key, sync, lines)
        for index, entry in enumerate(entries[: len(told)]):
            if entry in mine and not entry.commit:
                entries[index] = replace(entry, commit=sync.entry.commit, trigger=sync.entry.trigger)
    entries += _older_revisions(key, status.revisions, entries)
    entries += _undated(key, status.revisions, reverted, entries)
    for drift in status.drifts:
        since = parse_time(drift.since)
        if since is not None and not _names(entries, _DRIFTED, str(drift.object)):
            message = f"Drift in {drift.object}: {drift_sentence(drift)}"
            entries.append(
                TimelineEntry(
                    repository=key, first=since, last=since, reason=_DRIFTED, message=message, warning=True
                )
            )
    return in_order(_with_subjects(entries, status.revisions))


def timeline_of_all(
    repositories: Collection[Repository], events: Collection[ReportedEvent]
) -> list[TimelineEntry]:
    """Return what happened to all, also to those that are no more, oldest first."""
    of_repository = defaultdict(list)
    for event in events:
        of_repository[event.repository].append(event)
    told = [timeline(each, of_repository.pop(each.key, ())) for each in repositories]
    return in_order(chain(*told, of_missing(chain(*of_repository.values()))))


class NewEntries:
    """Tells which entries of a timeline that grows have not been seen yet."""

    def __init__(self) -> None:
        self._seen: dict[tuple[RepoKey, str, str], datetime] = {}

    def of(self, entries: Iterable[TimelineEntry]) -> list[TimelineEntry]:
        """Return the entries that are new or happened again; the next call knows these."""
        entries = list(entries)
        new = [entry for entry in entries if self._is_new(entry)]
        self._seen = {(entry.repository, entry.reason, entry.message): entry.last for entry in entries}
        return new

    def _is_new(self, entry: TimelineEntry) -> bool:
        seen = self._seen.get((entry.repository, entry.reason, entry.message))
        return seen is None or seen < entry.last


def of_missing(events: Iterable[ReportedEvent]) -> list[TimelineEntry]:
    """Return the Events about repositories that do not exist any more, oldest first."""
    return in_order(_of_event(event) for event in events)


def in_order(entries: Iterable[TimelineEntry]) -> list[TimelineEntry]:
    """Return entries by time, oldest first; the same again and again is one entry."""
    found: list[TimelineEntry] = []
    for entry in sorted(entries, key=lambda each: (each.last, each.first)):
        before = found[-1] if found else None
        if before is not None and _is_again(entry, before):
            first = min(before.first, entry.first)
            found[-1] = replace(before, first=first, last=entry.last, count=before.count + entry.count)
        else:
            found.append(entry)
    return found


def changes_of(entry: HistoryEntry | RevisionEntry) -> str:
    """Return what a sync did: `1 created, 2 failed`; empty if it did nothing."""
    counts = (
        (entry.created, "created"),
        (entry.changed, "changed"),
        (entry.pruned, "pruned"),
        (entry.failed, "failed"),
    )
    return ", ".join(f"{number} {what}" for number, what in counts if number)


def _is_again(entry: TimelineEntry, before: TimelineEntry) -> bool:
    return (
        entry.exact
        and replace(entry, first=before.first, last=before.last, count=before.count, trigger=before.trigger)
        == before
    )


def _of_event(event: ReportedEvent) -> TimelineEntry:
    return TimelineEntry(
        repository=event.repository,
        first=event.first,
        last=event.last,
        count=event.count,
        reason=event.reason,
        message=event.note,
        warning=event.warning,
    )


def _syncs(history: Sequence[HistoryEntry]) -> list[_Sync]:
    """Return the syncs, oldest first; each ends where the next one begins."""
    found: list[_Sync] = []
    following: datetime | None = None
    for entry in history:
        start = _start(entry)
        if start is None:
            continue
        end = start + _length(entry.duration) + _REPORTED_WITHIN
        found.append(_Sync(entry, start, end if following is None else min(end, following)))
        following = start
    return found[::-1]


def _start(entry: HistoryEntry) -> datetime | None:
    """Return when the sync started: its id has the milliseconds, which tell syncs of one second apart."""
    started, digits = parse_time(entry.started), entry.id[:_ULID_TIME]
    if started is None or len(digits) < _ULID_TIME or not set(digits) <= set(_ULID):
        return started
    milliseconds = 0
    for digit in digits:
        milliseconds = 32 * milliseconds + _ULID.index(digit)
    if abs(milliseconds / 1000 - started.timestamp()) > _ROUNDING.total_seconds():
        return started
    return started + timedelta(milliseconds=milliseconds - round(started.timestamp() * 1000))


def _length(duration: str) -> timedelta:
    try:
        return parse_duration(duration)
    except ValueError:
        return timedelta()


def _revision_of(sync: _Sync, revisions: Sequence[RevisionEntry]) -> RevisionEntry | None:
    """Return the newest revision of the sync's commit that is not younger than the sync."""
    for revision in revisions:
        applied = parse_time(revision.applied)
        if revision.commit == sync.entry.commit and (applied is None or applied <= sync.end):
            return revision
    return None


def _taken(sync: _Sync, revision: RevisionEntry | None, reverted: dict[int, list[str]]) -> list[str]:
    """Take what this sync reverted from the end of its revision's lines; the syncs come newest first."""
    if revision is None or not sync.heals:
        return []
    lines = reverted[id(revision)]
    count = min(sync.entry.created + sync.entry.changed, len(lines))
    taken = lines[len(lines) - count :]
    del lines[len(lines) - count :]
    return taken


def _is_told(sync: _Sync, events: Iterable[TimelineEntry]) -> bool:
    """Return whether the Events say what the sync did."""
    if sync.entry.outcome == Result.PLANNED:
        return any(event.reason == "Planned" for event in events)
    if not sync.succeeded:
        return any(event.warning and event.reason not in _NO_FAILURES for event in events)
    told = {event.reason for event in events}
    entry = sync.entry
    if not (entry.created or entry.changed or entry.pruned):
        return bool(told & _APPLIES)
    return bool(told & {*_APPLIES, _HEALED, "Pruned"})


def _of_sync(key: RepoKey, sync: _Sync, reverted: Sequence[str]) -> Iterator[TimelineEntry]:
    entry = sync.entry
    at = sync.start
    common = TimelineEntry(
        repository=key, first=at, last=at, reason="", message="", commit=entry.commit, trigger=entry.trigger
    )
    if reverted:
        for line in reverted:
            yield replace(common, reason=_HEALED, message=f"Reverted {line}.")
        return
    commit = entry.commit[:SHORT_COMMIT]
    counts = changes_of(entry)
    if sync.succeeded:
        what = f"Applied {commit}: {counts}." if counts else f"Synced {commit}; nothing changed."
        yield replace(common, reason="Synced", message=what)
    elif entry.outcome == Result.PLANNED:
        yield replace(common, reason="Planned", message=f"Planned {commit}; nothing was written.")
    elif entry.outcome == Result.FAILED:
        of = f" of {commit}" if commit else ""
        what = f"The sync{of} failed{f': {counts}' if counts else ''}."
        yield replace(common, reason="Failed", message=what, warning=True)
    else:
        yield replace(common, reason=entry.outcome.capitalize(), message=f"The sync ended: {entry.outcome}.")


def _older_revisions(
    key: RepoKey, revisions: Sequence[RevisionEntry], entries: Sequence[TimelineEntry]
) -> Iterator[TimelineEntry]:
    """Yield the revisions that were applied before everything else that is known."""
    for revision in revisions:
        applied = parse_time(revision.applied)
        if applied is None or _application(revision, applied, entries) is not None:
            continue
        counts = changes_of(revision)
        yield TimelineEntry(
            repository=key,
            first=applied,
            last=applied,
            reason="Synced",
            message=f"Applied {revision.commit[:SHORT_COMMIT]}{f': {counts}' if counts else ''}.",
            commit=revision.commit,
        )


def _application(revision: RevisionEntry, applied: datetime, entries: Sequence[TimelineEntry]) -> int | None:
    """Return the index of the entry that says that the revision was applied."""
    near = [
        (abs(entry.first - applied), index)
        for index, entry in enumerate(entries)
        if entry.commit == revision.commit
        and entry.reason in _APPLIES
        and entry.first - _REPORTED_WITHIN <= applied <= entry.last + _LONG_SYNC
    ]
    return min(near)[1] if near else None


def _undated(
    key: RepoKey,
    revisions: Sequence[RevisionEntry],
    reverted: dict[int, list[str]],
    entries: Sequence[TimelineEntry],
) -> Iterator[TimelineEntry]:
    """Yield what was reverted by syncs that the history has forgotten."""
    for revision in revisions:
        applied = parse_time(revision.applied)
        for line in reverted[id(revision)] if applied is not None else ():
            assert applied is not None  # noqa: S101 - else there are no lines
            if _names(entries, _HEALED, line.partition(": ")[0]):
                continue
            yield TimelineEntry(
                repository=key,
                first=applied,
                last=applied,
                reason=_HEALED,
                message=f"Reverted {line}.",
                exact=False,
                commit=revision.commit,
            )


def _names(entries: Iterable[TimelineEntry], reason: str, name: str) -> bool:
    """Return whether an entry with this reason is about the object."""
    return any(
        each.reason == reason and (f" {name}:" in each.message or f" {name}," in each.message)
        for each in entries
    )


def _with_subjects(entries: list[TimelineEntry], revisions: Sequence[RevisionEntry]) -> list[TimelineEntry]:
    """Return the entries; those that say that a commit was applied have its message and author."""
    found = list(entries)
    for revision in revisions:
        applied = parse_time(revision.applied)
        index = None if applied is None else _application(revision, applied, found)
        if index is not None:
            author = revision.author.partition(" <")[0]
            found[index] = replace(found[index], subject=revision.message, author=author)
    return found
