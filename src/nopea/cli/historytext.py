"""The passes of note of a GitRepository as a table for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import click

from nopea.cli.commit_name import is_rollback
from nopea.core.api.conditions import READY, find
from nopea.core.api.repository import Repository
from nopea.core.api.status import SHORT_COMMIT, HistoryEntry
from nopea.core.status.report import Result

_HEAD = ("COMMIT", "OUTCOME", "STARTED", "TOOK", "CREATED", "CHANGED", "PRUNED", "FAILED", "PASS", "TRIGGER")
_NUMBERS = ("CREATED", "CHANGED", "PRUNED", "FAILED")
_MARKS = 3  # the columns before each line: the marks and a space
_COLOURS = {Result.SYNCED: "green", Result.FAILED: "red"}


def json_of(repository: Repository) -> dict[str, Any]:
    """Return all of it: the entries as the status has them, and which is applied or made by a rollback."""
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
    }


def lines_of(repository: Repository, *, now: datetime, width: int | None = None) -> Iterator[str]:
    """Yield what is applied and followed now, then one line for each pass, newest first.

    Lines longer than `width` lose the ids first, then the times; the ages stay. None is no limit.
    """
    yield _title(repository)
    entries = repository.status.history
    if not entries:
        yield _why_empty(repository)
        return
    current = _current(repository)
    head, *rows = _fitting(entries, now=now, width=width)
    yield f"   {head}"
    for entry, row in zip(entries, rows, strict=True):
        mark = f"{'*' if entry is current else ' '}{'↩' if is_rollback(entry) else ' '}"
        yield f"{click.style(mark, bold=True)} {_coloured(row, entry)}"
    legend = [
        *(["* applied now"] if current is not None else []),
        *(["↩ a rollback decided which commit"] if any(map(is_rollback, entries)) else []),
    ]
    if legend:
        yield "   ".join(legend)


def age(seconds: float) -> str:
    """Return how long ago in one unit, as kubectl has it: `42s`, `5m`, `3h`, `12d`."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)}{unit}"
    return f"{max(int(seconds), 0)}s"


def _title(repository: Repository) -> str:
    status = repository.status
    applied = f"at {status.last_applied_commit}" if status.last_applied_commit else "with nothing applied yet"
    if repository.pin_problem is not None:
        return f"GitRepository {repository.key} {applied}, stays so: its rollback cannot be read"
    if repository.pin is not None:
        return (
            f"GitRepository {repository.key} {applied}, rolled back to "
            f"{repository.pin.commit[:SHORT_COMMIT]}: {repository.pin.left} is not followed"
        )
    return f"GitRepository {repository.key} {applied}, follows {_follows(repository) or 'nothing'}"


def _follows(repository: Repository) -> str | None:
    """Return the ref that the spec names, also while it is not followed."""
    if repository.pin is not None:
        return str(repository.pin.instead_of) if repository.pin.instead_of else None
    return repository.follows or None


def _why_empty(repository: Repository) -> str:
    ready = find(repository.status.conditions, READY)
    if ready is None:
        return "no pass yet: see that `nopea run` is up and watches this namespace"
    return f"no pass of note yet: {ready.message}"


def _current(repository: Repository) -> HistoryEntry | None:
    """Return the newest pass that applied in full what is applied now."""
    applied = repository.status.last_applied_commit
    history = repository.status.history
    return next((one for one in history if one.commit == applied and one.outcome == Result.SYNCED), None)


def _fitting(entries: Sequence[HistoryEntry], *, now: datetime, width: int | None) -> list[str]:
    """Return the head and a line for each pass: the longest form that fits, or the shortest."""
    lines: list[str] = []
    for with_ids, with_times in ((True, True), (False, True), (False, False)):
        rows = [_HEAD, *(_cells(entry, now=now, with_times=with_times) for entry in entries)]
        columns = [
            _column(name, cells) for name, *cells in zip(*rows, strict=True) if with_ids or name != "PASS"
        ]
        lines = ["  ".join(cells).rstrip() for cells in zip(*columns, strict=True)]
        if width is None or max(map(len, lines)) + _MARKS <= width:
            break
    return lines


def _column(name: str, cells: Sequence[str]) -> list[str]:
    size = max(map(len, (name, *cells)))
    return [text.rjust(size) if name in _NUMBERS else text.ljust(size) for text in (name, *cells)]


def _cells(entry: HistoryEntry, *, now: datetime, with_times: bool) -> tuple[str, ...]:
    numbers = (entry.created, entry.changed, entry.pruned, entry.failed)
    return (
        entry.commit[:SHORT_COMMIT] or "-",
        entry.outcome,
        _when(entry.started, now=now, with_time=with_times),
        entry.duration,
        *(str(number) for number in numbers),
        entry.id,
        entry.trigger.replace(",", ", "),
    )


def _when(started: str, *, now: datetime, with_time: bool) -> str:
    try:
        ago = age((now - datetime.fromisoformat(started)).total_seconds())
    except (ValueError, TypeError):  # another version wrote it
        return started
    return f"{ago} ago, {started}" if with_time else f"{ago} ago"


def _coloured(line: str, entry: HistoryEntry) -> str:
    colour = _COLOURS.get(Result(entry.outcome)) if entry.outcome in set(Result) else None
    return line.replace(f" {entry.outcome} ", f" {click.style(entry.outcome, fg=colour)} ", 1)
