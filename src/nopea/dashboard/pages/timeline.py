"""What happened to one GitRepository: revisions and how long each was in force, failures, drift. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from nopea.core.api.entries import HistoryEntry
from nopea.core.api.repository import Repository
from nopea.core.api.times import format_time, parse_time
from nopea.core.git.source import SHORT_COMMIT
from nopea.core.status.report import Result
from nopea.core.status.timeline import ReportedEvent, TimelineEntry, timeline

MOST_ENTRIES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Lasting:
    """A time span as Kubernetes writes times; an empty `until` is now. `text` is its length, if known."""

    since: str
    until: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRevision:
    """A commit that was applied, and how long it was in force; without `span` it never was in full."""

    commit: str
    subject: str
    author: str
    committed: str
    span: Lasting | None
    created: int
    changed: int
    pruned: int
    failed: int
    rollback: bool
    reverted: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSync:
    """A sync that changed something, failed or recovered."""

    commit: str
    outcome: str
    started: str
    duration: str
    trigger: str
    counts: str
    failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownEntry:
    """One thing that happened; `last` is its time, `lasted` how long it repeated."""

    last: str
    lasted: str
    exact: bool
    reason: str
    message: str
    about: str
    warning: bool
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The timeline page of one GitRepository, newest first."""

    revisions: tuple[ShownRevision, ...]
    failures: tuple[Lasting, ...]
    syncs: tuple[ShownSync, ...]
    entries: tuple[ShownEntry, ...]


def history_of(repository: Repository, events: Iterable[ReportedEvent]) -> History:
    """Return what is known of the past; without Events, what the status remembers."""
    entries = timeline(repository, events)[-MOST_ENTRIES:]
    return History(
        revisions=tuple(_revisions(repository)),
        failures=_failures(repository),
        syncs=tuple(map(_sync, repository.status.history)),
        entries=tuple(map(_entry, reversed(entries))),
    )


def lasted(seconds: float) -> str:
    """Return a duration in two units at most: `under 1s`, `42s`, `5m 3s`, `2h 10m`, `3d 4h`."""
    whole = max(int(seconds), 0)
    sizes = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))
    for (size, unit), (smaller, small_unit) in pairwise(sizes):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size}{unit}{f' {rest}{small_unit}' if rest else ''}"
    if whole:
        return f"{whole}s"
    return "under 1s"


def _revisions(repository: Repository) -> list[ShownRevision]:
    found: list[ShownRevision] = []
    until = ""
    for each in repository.status.revisions:  # newest first
        applied = each.applied or ""
        found.append(
            ShownRevision(
                commit=each.commit[:SHORT_COMMIT],
                subject=each.message,
                author=each.author.partition(" <")[0],
                committed=each.time,
                span=_span(applied, until) if applied else None,
                created=each.created,
                changed=each.changed,
                pruned=each.pruned,
                failed=each.failed,
                rollback=each.rollback,
                reverted=each.reverted,
            )
        )
        until = applied or until
    return found


def _failures(repository: Repository) -> tuple[Lasting, ...]:
    """Return the times during which syncs failed, newest first; the status dates the present one exactly."""
    found: list[Lasting] = []
    begun = ""
    for entry in reversed(repository.status.history):
        if entry.outcome == Result.FAILED:
            begun = begun or entry.started
        elif entry.outcome in (Result.SYNCED, Result.PLANNED) and begun:
            found.append(_span(begun, entry.started))
            begun = ""
    if repository.status.failing_since:
        found.append(_span(repository.status.failing_since, ""))
    return tuple(reversed(found))


def _span(since: str, until: str) -> Lasting:
    start, end = parse_time(since), parse_time(until)
    known = start is not None and end is not None
    text = lasted((end - start).total_seconds()) if known and start and end else ""
    return Lasting(since=since, until=until, text=text)


def _sync(entry: HistoryEntry) -> ShownSync:
    return ShownSync(
        commit=entry.commit[:SHORT_COMMIT],
        outcome=entry.outcome,
        started=entry.started,
        duration=entry.duration,
        trigger=entry.trigger.replace(",", ", "),
        counts=_counts(entry),
        failed=entry.outcome == Result.FAILED,
    )


def _counts(entry: HistoryEntry) -> str:
    counts = (
        (entry.created, "created"),
        (entry.changed, "changed"),
        (entry.pruned, "pruned"),
        (entry.failed, "failed"),
    )
    return ", ".join(f"{number} {what}" for number, what in counts if number) or "nothing changed"


def _entry(entry: TimelineEntry) -> ShownEntry:
    return ShownEntry(
        last=format_time(entry.last),
        lasted=lasted((entry.last - entry.first).total_seconds()) if entry.count > 1 else "",
        exact=entry.exact,
        reason=entry.reason,
        message=entry.message,
        about="; ".join(_about(entry)),
        warning=entry.warning,
        count=entry.count,
    )


def _about(entry: TimelineEntry) -> Sequence[str]:
    commit = entry.commit[:SHORT_COMMIT]
    found = [f"commit {commit}"] if commit and commit not in entry.message else []
    if entry.subject:
        found.append(f"“{entry.subject}”{f' by {entry.author}' if entry.author else ''}")
    if entry.trigger:
        found.append(f"trigger: {entry.trigger.replace(',', ', ')}")
    return found
