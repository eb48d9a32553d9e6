"""Format what somebody should know of GitRepositories: of one, and of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import click
import msgspec

from nopea.cli.heartbeat import Liveness
from nopea.cli.output.history import age, age_of, empty_reason
from nopea.cli.output.messages import as_called, wrapped
from nopea.core.api.repository import Repository
from nopea.core.api.times import parse_time
from nopea.core.drift.mask import plain_line
from nopea.core.status.concerns import ORDER, Concern, ConcernKind
from nopea.core.status.summary import shown_revision

_COLOURS = {
    ConcernKind.FAILING: "red",
    ConcernKind.UNHEALTHY: "red",
    ConcernKind.CONTENDED: "yellow",
    ConcernKind.DRIFTED: "yellow",
}
_LEAST = 30
"""The least room for a summary beside the name; with less it has a line of its own."""

Concerns = Sequence[tuple[Repository, Sequence[Concern]]]
"""What there is to know of each repository."""


def why_lines(
    repository: Repository,
    concerns: Sequence[Concern],
    *,
    controller: Liveness | None = None,
    now: datetime,
    width: int | None = None,
) -> Iterator[str]:
    """Yield what is wrong with one repository, with what to do about each; None is told elsewhere."""
    status = repository.status
    ends = "  being deleted" if repository.deleting else ""
    yield f"GitRepository {repository.key}  {shown_revision(status)}{ends}"
    if controller is not None and controller.running is False:
        yield from _marked(f"{controller.message} What follows may be old.", "red", width=width)
    dates, hints = {""}, {""}  # what many problems share is told once
    for concern in concerns:
        ago = "" if concern.since in dates else age_of(concern.since, now=now)
        head = f"{concern.kind} (for {ago})" if ago else concern.kind
        told = " ".join(part for part in (head, concern.code, concern.source, concern.object) if part)
        text = f"{told}: {plain_line(concern.message, limit=1000)}"
        mark = "✗" if concern.kind.needs_somebody else "•"
        colour = _COLOURS.get(concern.kind)
        yield from _marked(text, colour, bold=len(head), width=width, mark=mark)
        if concern.hint not in hints:
            hint = plain_line(concern.hint, limit=1000)
            yield from wrapped(hint, width=width, first="  → ", indent="    ")
        dates.add(concern.since)
        hints.add(concern.hint)
    if not concerns:
        is_known = controller is None or controller.running is not False
        yield "✓ Nothing is wrong." if is_known else "Nothing was wrong when the controller looked last."
    if (following := parse_time(status.next_sync_time)) is not None:
        wait = (following - now).total_seconds()
        when = f"is in {age(wait)}" if wait > 0 else f"was due {age(-wait)} ago"
        now_too = "" if repository.deleting else f"; `nopea sync {repository.key.arguments}` tries now"
        text = f"The next try {when}{now_too}."
        yield from wrapped(text, width=width, indent="  ")


def why_json(repository: Repository, concerns: Sequence[Concern]) -> dict[str, Any]:
    """Return what is known of one repository for programs."""
    return {
        "repository": str(repository.key),
        "revision": repository.status.revision,
        "summary": repository.status.summary,
        "nextSyncTime": repository.status.next_sync_time,
        "concerns": [msgspec.to_builtins(each) for each in concerns],
    }


def status_lines(
    concerns: Concerns, *, controller: Liveness, now: datetime, width: int | None = None
) -> Iterator[str]:
    """Yield the controller, the numbers, and a line for each repository that needs somebody, worst first."""
    yield from controller_lines(controller, width=width)
    numbers = Counter(found[0].kind for _, found in concerns if found)
    fine = len(concerns) - numbers.total()
    told = [f"{fine} fine", *(f"{numbers[kind]} {kind}" for kind in ORDER if numbers[kind])]
    noun = "GitRepository" if len(concerns) == 1 else "GitRepositories"
    yield from wrapped(f"{len(concerns)} {noun}: {', '.join(told)}", width=width, indent="  ")
    needy = needing_somebody(concerns)
    if not needy:
        return
    yield from _rows(needy, now=now, width=width)
    yield as_called(f"`nopea why {needy[0][0].key.arguments}` says what to do about the first.")


def controller_lines(controller: Liveness, *, width: int | None = None) -> Iterator[str]:
    """Yield whether the controller runs, in as many lines as needed."""
    if controller.running:
        yield from wrapped(controller.message, width=width, indent="  ")
    else:
        colour = "red" if controller.running is False else None
        yield from _marked(controller.message, colour, width=width, mark="✗" if colour else "?")


def needing_somebody(concerns: Concerns) -> Concerns:
    """Return the repositories that need somebody, worst first."""
    needy = [each for each in concerns if each[1] and each[1][0].kind.needs_somebody]
    return sorted(needy, key=lambda each: (ORDER.index(each[1][0].kind), each[0].key))


def status_json(concerns: Concerns, *, controller: Liveness) -> dict[str, Any]:
    """Return all repositories for programs; `running` is null if that is not known."""
    return {
        "controller": {"running": controller.running, "message": controller.message},
        "repositories": [why_json(repository, found) for repository, found in concerns],
    }


def _marked(
    text: str, colour: str | None, *, width: int | None, bold: int | None = None, mark: str = "✗"
) -> Iterator[str]:
    """Yield a text after a mark; its first `bold` characters, or all of it, have the colour."""
    for index, line in enumerate(wrapped(text, width=width, first=f"{mark} ", indent="  ")):
        end = len(line) if bold is None else bold + 2 if index == 0 else 0
        yield f"{click.style(line[:end], fg=colour)}{line[end:]}" if colour else line


def _rows(needy: Concerns, *, now: datetime, width: int | None) -> Iterator[str]:
    rows = [_row(repository, found, now=now) for repository, found in needy]
    columns = [max(map(len, column)) for column in zip(*(row[:3] for row in rows), strict=True)]
    room = None if width is None else width - sum(columns) - 6
    for row, (_, found) in zip(rows, needy, strict=True):
        kind, name, since = (text.ljust(size) for text, size in zip(row, columns, strict=False))
        head = f"{click.style(kind, fg=_COLOURS.get(found[0].kind))}  {name}  {since}"
        if room is None or room >= _LEAST:
            yield f"{head}  {row[3] if room is None else _cut(row[3], room)}"
        else:
            yield head.rstrip()
            yield f"  {_cut(row[3], max((width or 0) - 2, _LEAST))}"


def _cut(line: str, room: int) -> str:
    return line if len(line) <= room else f"{line[: room - 1]}…"


def _row(repository: Repository, found: Sequence[Concern], *, now: datetime) -> tuple[str, str, str, str]:
    dates = [each.since for each in found if each.since and each.kind is found[0].kind]
    summary = plain_line(repository.status.summary or empty_reason(repository))
    return found[0].kind, str(repository.key), age_of(min(dates, default=""), now=now), summary
