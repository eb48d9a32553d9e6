"""Format the last revisions of a GitRepository as a table."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from nopea.cli.output.history import empty_reason, title, when
from nopea.core.api.entries import RevisionEntry
from nopea.core.api.repository import Repository
from nopea.core.drift.mask import plain_line
from nopea.core.git.source import SHORT_COMMIT

_HEAD = ("COMMIT", "APPLIED", "CREATED", "CHANGED", "PRUNED", "FAILED", "REVERTED", "AUTHOR", "MESSAGE")
_NUMBERS = frozenset(_HEAD[2:7])
_LEAST_MESSAGE = 10


def revision_lines(repository: Repository, *, now: datetime, width: int | None = None) -> Iterator[str]:
    """Yield what is applied and followed now, then the revisions, newest first, and the drift reverted last.

    The message is cut to `width`; None means no limit.
    """
    yield title(repository)
    entries = repository.status.revisions
    if not entries:
        yield empty_reason(repository)
        return
    rows = [_HEAD, *(_cells(entry, now=now) for entry in entries)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.rjust(size) if name in _NUMBERS else cell.ljust(size)
            for name, cell, size in zip(_HEAD, row, widths, strict=True)
        ]
        yield _cut("  ".join(cells).rstrip(), width, least=sum(widths[:-1]) + 2 * len(widths))
    for line in entries[0].reverted:
        yield f"reverted: {line}"


def _cells(entry: RevisionEntry, *, now: datetime) -> tuple[str, ...]:
    numbers = (entry.created, entry.changed, entry.pruned, entry.failed, len(entry.reverted))
    return (
        f"{entry.commit[:SHORT_COMMIT]}{' (rollback)' if entry.rollback else ''}",
        when(entry.applied, now=now, with_time=False) if entry.applied else "not in full",
        *map(str, numbers),
        plain_line(entry.author.partition(" <")[0], limit=30),
        plain_line(entry.message, limit=100),
    )


def _cut(line: str, width: int | None, *, least: int) -> str:
    if width is None or len(line) <= max(width, least + _LEAST_MESSAGE):
        return line
    return f"{line[: max(width, least + _LEAST_MESSAGE) - 1]}…"
