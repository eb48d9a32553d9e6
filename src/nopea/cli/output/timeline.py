"""Format what happened to GitRepositories, oldest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from nopea.cli.output.history import age
from nopea.cli.output.messages import wrapped
from nopea.core.api.times import format_time
from nopea.core.drift.mask import plain_line
from nopea.core.git.source import SHORT_COMMIT
from nopea.core.status.timeline import TimelineEntry


def timeline_lines(
    entries: Sequence[TimelineEntry], *, now: datetime, with_names: bool, width: int | None = None
) -> Iterator[str]:
    """Yield a line for each entry; where it is wider than `width`, the text is below. None means no limit."""
    rows = [_columns(entry, now=now, with_names=with_names) for entry in entries]
    sizes = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for entry, row in zip(entries, rows, strict=True):
        *cells, reason = (text.ljust(size) for text, size in zip(row, sizes, strict=True))
        shown = click.style(row[-1], fg="yellow") if entry.warning else row[-1]
        head, text = "  ".join((*cells, shown)), _text(entry)
        if width is None or sum(sizes) + 2 * len(sizes) + len(text) <= width:
            yield f"{head}{' ' * (len(reason) - len(row[-1]))}  {text}"
        else:
            yield head
            yield from wrapped(text, width=width, first="    ", indent="    ")


def timeline_json(entries: Sequence[TimelineEntry]) -> dict[str, Any]:
    """Return the entries for programs; `exact` is false where it happened some time after `first`."""
    return {"entries": [_as_json(entry) for entry in entries]}


def _columns(entry: TimelineEntry, *, now: datetime, with_names: bool) -> tuple[str, ...]:
    ago = f"{age((now - entry.last).total_seconds())} ago"
    names = (str(entry.repository),) if with_names else ()
    # the status does not record when: some time after this one
    moment = format_time(entry.last) if entry.exact else f"after {entry.last.astimezone(UTC):%H:%M:%SZ}"
    return (moment, ago if entry.exact else "", *names, plain_line(entry.reason, limit=128))


def _text(entry: TimelineEntry) -> str:
    commit = entry.commit[:SHORT_COMMIT]
    about = [f"commit {commit}"] if commit and commit not in entry.message else []
    if entry.subject:
        by = f" by {plain_line(entry.author, limit=60)}" if entry.author else ""
        about.append(f"“{plain_line(entry.subject, limit=100)}”{by}")
    if entry.trigger:
        about.append(f"trigger: {entry.trigger.replace(',', ', ')}")
    if entry.count > 1:
        about.append(f"{entry.count} times since {format_time(entry.first)}")
    joined = "; ".join(about)
    return f"{plain_line(entry.message)} ({joined})" if joined else plain_line(entry.message)


def _as_json(entry: TimelineEntry) -> dict[str, Any]:
    return {
        "repository": str(entry.repository),
        "first": format_time(entry.first),
        "last": format_time(entry.last),
        "exact": entry.exact,
        "count": entry.count,
        "type": "Warning" if entry.warning else "Normal",
        "reason": entry.reason,
        "message": entry.message,
        "commit": entry.commit or None,
        "subject": entry.subject or None,
        "author": entry.author or None,
        "trigger": entry.trigger or None,
    }
