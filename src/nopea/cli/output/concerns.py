"""Format what somebody should know of GitRepositories: of one, and of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import click
import msgspec

from nopea.cli.output.history import age, empty_reason
from nopea.core.api.repository import Repository
from nopea.core.drift.mask import plain_line
from nopea.core.status.concerns import ORDER, Concern, ConcernKind

_COLOURS = {ConcernKind.FAILING: "red", ConcernKind.UNHEALTHY: "red", ConcernKind.DRIFTED: "yellow"}
_WIDTH = 80
_LEAST = 20

Concerns = Sequence[tuple[Repository, Sequence[Concern]]]
"""What there is to know of each repository."""


def why_lines(repository: Repository, concerns: Sequence[Concern], *, now: datetime) -> Iterator[str]:
    """Yield what is wrong with one repository, with what to do about each."""
    status = repository.status
    yield f"GitRepository {repository.key}  {status.revision or '(nothing applied)'}"
    for concern in concerns:
        where = " ".join(part for part in (concern.source, concern.object) if part)
        ago = f" (for {since})" if (since := _age(concern.since, now=now)) else ""
        mark = click.style(f"✗ {concern.kind}{ago}", fg=_COLOURS.get(concern.kind))
        told = " ".join(part for part in (concern.code, where) if part)
        yield f"{mark}{f' {told}' if told else ''}: {plain_line(concern.message, limit=1000)}"
        if concern.hint:
            yield f"  → {plain_line(concern.hint, limit=1000)}"
    if not concerns:
        yield "✓ Nothing is wrong."
    if status.next_sync_time and (wait := -_seconds(status.next_sync_time, now=now)) > 0:
        yield f"The next try is in {age(wait)}; `nopea sync {repository.key.arguments}` tries now."


def why_json(repository: Repository, concerns: Sequence[Concern]) -> dict[str, Any]:
    """Return the same for programs."""
    return {
        "repository": str(repository.key),
        "revision": repository.status.revision,
        "summary": repository.status.summary,
        "nextSyncTime": repository.status.next_sync_time,
        "concerns": [msgspec.to_builtins(each) for each in concerns],
    }


def status_lines(concerns: Concerns, *, now: datetime, width: int = _WIDTH) -> Iterator[str]:
    """Yield one line of numbers, and one for each repository that needs somebody, worst first."""
    numbers = Counter(found[0].kind for _, found in concerns if found)
    fine = len(concerns) - numbers.total()
    told = [f"{fine} fine", *(f"{numbers[kind]} {kind}" for kind in ORDER if numbers[kind])]
    noun = "GitRepository" if len(concerns) == 1 else "GitRepositories"
    yield f"{len(concerns)} {noun}: {', '.join(told)}"
    needy = [each for each in concerns if each[1] and each[1][0].kind.needs_somebody]
    needy.sort(key=lambda each: (ORDER.index(each[1][0].kind), each[0].key))
    if not needy:
        return
    rows = [_row(repository, found, now=now) for repository, found in needy]
    columns = [max(map(len, column)) for column in zip(*(row[:3] for row in rows), strict=True)]
    room = max(width - sum(columns) - 6, _LEAST)
    for row, (_, found) in zip(rows, needy, strict=True):
        kind, name, since = (text.ljust(size) for text, size in zip(row, columns, strict=False))
        line = row[3] if len(row[3]) <= room else f"{row[3][: room - 1]}…"
        yield f"{click.style(kind, fg=_COLOURS.get(found[0].kind))}  {name}  {since}  {line}"
    yield f"`nopea why {needy[0][0].key.arguments}` says what to do about the first."


def status_json(concerns: Concerns, *, controller: str) -> dict[str, Any]:
    """Return the same for programs; `controller` says why no controller runs, and is empty if one does."""
    return {
        "controller": {"running": not controller, "message": controller},
        "repositories": [why_json(repository, found) for repository, found in concerns],
    }


def _row(repository: Repository, found: Sequence[Concern], *, now: datetime) -> tuple[str, str, str, str]:
    dates = [each.since for each in found if each.since]
    summary = repository.status.summary or empty_reason(repository)
    return found[0].kind, str(repository.key), _age(min(dates, default=""), now=now), summary


def _age(since: str, *, now: datetime) -> str:
    return age(_seconds(since, now=now)) if since else ""


def _seconds(moment: str, *, now: datetime) -> float:
    return (now - datetime.fromisoformat(moment)).total_seconds()
