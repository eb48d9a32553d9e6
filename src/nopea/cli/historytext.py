"""The passes of note of a GitRepository as a table for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click

from nopea.core.api.status import SHORT_COMMIT, HistoryEntry
from nopea.core.commitname import is_rollback
from nopea.core.conditions import READY, find
from nopea.core.report import Result
from nopea.core.repository import Repository

_HEAD = ("COMMIT", "OUTCOME", "STARTED", "TOOK", "CREATED", "CHANGED", "PRUNED", "FAILED", "PASS", "TRIGGER")
_NUMBERS = ("CREATED", "CHANGED", "PRUNED", "FAILED")
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


def lines_of(repository: Repository, *, now: datetime) -> Iterator[str]:
    """Yield what is applied and followed now, then one line for each pass, newest first."""
    yield _title(repository)
    entries = repository.status.history
    if not entries:
        yield _why_empty(repository)
        return
    current = _current(repository)
    rows = [_cells(entry, now=now) for entry in entries]
    widths = [max(map(len, column)) for column in zip(_HEAD, *rows, strict=True)]
    yield f"   {_line(_HEAD, widths)}".rstrip()
    for entry, row in zip(entries, rows, strict=True):
        mark = f"{'*' if entry is current else ' '}{'↩' if is_rollback(entry) else ' '}"
        yield f"{click.style(mark, bold=True)} {_coloured(_line(row, widths).rstrip(), entry)}"
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


def _cells(entry: HistoryEntry, *, now: datetime) -> tuple[str, ...]:
    numbers = (entry.created, entry.changed, entry.pruned, entry.failed)
    return (
        entry.commit[:SHORT_COMMIT] or "-",
        entry.outcome,
        _when(entry.started, now=now),
        entry.duration,
        *(str(number) for number in numbers),
        entry.id,
        entry.trigger.replace(",", ", "),
    )


def _when(started: str, *, now: datetime) -> str:
    try:
        ago = age((now - datetime.fromisoformat(started)).total_seconds())
    except (ValueError, TypeError):  # another version wrote it
        return started
    return f"{ago} ago, {started}"


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    return "  ".join(
        cell.rjust(width) if name in _NUMBERS else cell.ljust(width)
        for name, cell, width in zip(_HEAD, cells, widths, strict=True)
    )


def _coloured(line: str, entry: HistoryEntry) -> str:
    colour = _COLOURS.get(Result(entry.outcome)) if entry.outcome in set(Result) else None
    return line.replace(f" {entry.outcome} ", f" {click.style(entry.outcome, fg=colour)} ", 1)
