"""Format the history of a GitRepository as a table and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import click

from nopea.cli.commit_reference import is_rollback
from nopea.core.api.conditions import READY, find
from nopea.core.api.entries import HistoryEntry
from nopea.core.api.repository import Repository
from nopea.core.api.times import parse_time
from nopea.core.git.source import SHORT_COMMIT
from nopea.core.status.report import Result
from nopea.core.status.summary import shown_revision

_HEAD = ("COMMIT", "OUTCOME", "STARTED", "TOOK", "CREATED", "CHANGED", "PRUNED", "FAILED", "ID", "TRIGGER")
_NUMBERS = ("CREATED", "CHANGED", "PRUNED", "FAILED")
_MARKS = 3  # columns before each line: two marks and a space
_COLOURS = {Result.SYNCED: "green", Result.FAILED: "red"}


def history_json(repository: Repository) -> dict[str, Any]:
    """Return the entries as in the status, with `current` and `rollback` added."""
    status = repository.status
    current = _current(repository)
    return {
        "repository": str(repository.key),
        "lastAppliedCommit": status.last_applied_commit,
        "follows": _follows(repository),
        "rollbackTo": repository.rollback_to or None,
        "history": [
            {
                **{field: getattr(entry, field) for field in entry.__struct_fields__},  # zeros too
                "current": entry is current,
                "rollback": is_rollback(entry),
            }
            for entry in status.history
        ],
        "revisions": [
            {field: getattr(entry, field) for field in entry.__struct_fields__} for entry in status.revisions
        ],
    }


def history_lines(repository: Repository, *, now: datetime, width: int | None = None) -> Iterator[str]:
    """Yield what is applied and followed now, then a table of the syncs, newest first.

    If the table is wider than `width`, it omits the ids, then the times too. None means no limit.
    """
    yield title(repository)
    entries = repository.status.history
    if not entries:
        yield empty_reason(repository)
        return
    current = _current(repository)
    head, *rows = _fitting(entries, now=now, width=width)
    yield f"   {head}"
    for entry, row in zip(entries, rows, strict=True):
        mark = f"{'*' if entry is current else ' '}{'↩' if is_rollback(entry) else ' '}"
        yield f"{click.style(mark, bold=True)} {_coloured(row, entry)}"
    legend = [
        *(["* applied now"] if current is not None else []),
        *(["↩ applied by a rollback"] if any(map(is_rollback, entries)) else []),
    ]
    if legend:
        yield "   ".join(legend)


def age(seconds: float) -> str:
    """Return a duration in one unit, as kubectl does: `42s`, `5m`, `3h`, `12d`."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)}{unit}"
    return f"{max(int(seconds), 0)}s"


def age_of(moment: str | None, *, now: datetime) -> str:
    """Return how long ago a time of an object was; empty for what is not a time."""
    found = parse_time(moment)
    return "" if found is None else age((now - found).total_seconds())


def title(repository: Repository) -> str:
    """Return what is applied and followed now."""
    status = repository.status
    applied = f"at {status.last_applied_commit}" if status.last_applied_commit else shown_revision(status)
    if repository.pin_problem is not None:
        return f"GitRepository {repository.key} {applied}, stays there: its rollback annotation is invalid"
    if repository.pin is not None:
        return (
            f"GitRepository {repository.key} {applied}, rolled back to "
            f"{repository.pin.commit[:SHORT_COMMIT]}: {repository.pin.left} is not followed"
        )
    return f"GitRepository {repository.key} {applied}, follows {_follows(repository) or 'nothing'}"


def _follows(repository: Repository) -> str | None:
    """Return the ref in the spec, even while a rollback holds another commit."""
    if repository.pin is not None:
        return str(repository.pin.instead_of) if repository.pin.instead_of else None
    return repository.follows or None


def empty_reason(repository: Repository) -> str:
    """Return why there is nothing to list."""
    ready = find(repository.status.conditions, READY)
    if ready is None:
        return "No sync yet. Check that `nopea run` runs and watches this namespace."
    return f"No sync to list yet. {ready.message}"


def _current(repository: Repository) -> HistoryEntry | None:
    """Return the newest sync that applied the current commit in full."""
    applied = repository.status.last_applied_commit
    history = repository.status.history
    return next(
        (entry for entry in history if entry.commit == applied and entry.outcome == Result.SYNCED), None
    )


def _fitting(entries: Sequence[HistoryEntry], *, now: datetime, width: int | None) -> list[str]:
    """Return the header and a line for each sync, in the longest form that fits, or the shortest."""
    lines: list[str] = []
    for with_ids, with_times in ((True, True), (False, True), (False, False)):
        rows = [_HEAD, *(_cells(entry, now=now, with_times=with_times) for entry in entries)]
        columns = [
            _column(name, cells) for name, *cells in zip(*rows, strict=True) if with_ids or name != "ID"
        ]
        lines = ["  ".join(cells).rstrip() for cells in zip(*columns, strict=True)]
        if width is None or max(map(len, lines)) + _MARKS <= width:
            break
    return lines


def _column(name: str, cells: Sequence[str]) -> list[str]:
    width = max(map(len, (name, *cells)))
    return [cell.rjust(width) if name in _NUMBERS else cell.ljust(width) for cell in (name, *cells)]


def _cells(entry: HistoryEntry, *, now: datetime, with_times: bool) -> tuple[str, ...]:
    numbers = (entry.created, entry.changed, entry.pruned, entry.failed)
    return (
        entry.commit[:SHORT_COMMIT] or "-",
        entry.outcome,
        when(entry.started, now=now, with_time=with_times),
        entry.duration,
        *(str(number) for number in numbers),
        entry.id,
        entry.trigger.replace(",", ", "),
    )


def when(started: str, *, now: datetime, with_time: bool) -> str:
    """Return how long ago a time in the status was, and the time itself."""
    ago = age_of(started, now=now)
    if not ago:  # written by another version
        return started
    return f"{ago} ago, {started}" if with_time else f"{ago} ago"


def _coloured(line: str, entry: HistoryEntry) -> str:
    colour = _COLOURS.get(Result(entry.outcome)) if entry.outcome in set(Result) else None
    return line.replace(f" {entry.outcome} ", f" {click.style(entry.outcome, fg=colour)} ", 1)
