"""An inspection as lines for people and as JSON for programs. Says only what the values hold, all masked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import click

from nopea.core.api.conditions import format_time
from nopea.core.drift.three_way import Side
from nopea.core.plan.model import Action, Reason
from nopea.core.plan.object_diff import FieldDiff, ObjectDiff
from nopea.core.problem import Problem
from nopea.reconcile.inspect import Inspection

_ROOM = 100
"""Characters of three values that still fit beside their path."""

_CUT = 1000
"""Characters of one value in text; JSON has more."""

_COLOURS = {
    Action.CREATE: "green",
    Action.APPLY: "yellow",
    Action.PRUNE: "red",
    Action.REFUSE: "red",
    Action.LEAVE: "cyan",
}
_SIDES = {Side.GIT: "green", Side.CLUSTER: "yellow", Side.BOTH: "red"}


def lines_of(objects: tuple[ObjectDiff, ...]) -> Iterator[str]:
    """Yield each object's lines: what becomes of it and why, then its fields."""
    for one in objects:
        step = one.step
        source = f"  {step.desired.source}" if step.desired else ""
        verb = click.style(f"{step.action:<6}", fg=_COLOURS[step.action], bold=True)
        yield f"{verb} {click.style(str(step.key), bold=True)}: {step.reason}{click.style(source, dim=True)}"
        if step.retry_at is not None:
            yield f"         until {format_time(step.retry_at)}"
        for field in one.fields:
            yield from _field(field)
        if step.problem is not None:
            yield click.style(f"    {step.problem.message}", fg="red")
            yield f"    → {step.problem.hint}"


def _field(field: FieldDiff) -> Iterator[str]:
    colour = _SIDES[field.side]
    values = [
        _cut(field.last, "(none)" if field.last_is_known else "(not known)"),
        _cut(field.git, "(none)"),
        _cut(field.live, "(none)"),
    ]
    by = _by(field)
    if sum(map(len, values)) + len(field.path) <= _ROOM:
        shown = " → ".join(values[:2]) + " → " + click.style(values[2], fg=colour)
        yield f"    {click.style(field.path, fg=colour)}: {shown}{f'   {by}' if by else ''}"
        return
    yield f"    {click.style(field.path, fg=colour)}:{f'   {by}' if by else ''}"
    for name, value in zip(("last applied", "Git", "live"), values, strict=True):
        yield f"      {name:<12}  {value}"


def _cut(value: str | None, absent: str) -> str:
    if value is None:
        return absent
    return value if len(value) <= _CUT else f"{value[: _CUT - 1]}…"


def _by(field: FieldDiff) -> str:
    """Say who did it, how, and when, as far as it is known."""
    if not field.manager:
        return "by Git" if field.side is Side.GIT else "by somebody whom Kubernetes does not note"
    how = "/".join(part for part in (field.operation, field.subresource) if part)
    when = f" at {format_time(field.changed_at)}" if field.changed_at else ""
    return f"by {field.manager}{f' ({how})' if how else ''}{when}"


def summary_of(objects: tuple[ObjectDiff, ...]) -> str:
    """Return the counts of what a pass would do: `1 to create, 2 to apply, 5 unchanged`."""
    counts = Counter(
        "unchanged" if one.step.reason in (Reason.UNCHANGED, Reason.IGNORED) else str(one.step.action)
        for one in objects
    )
    words = {"create": "to create", "apply": "to apply", "prune": "to prune", "leave": "to leave",
             "refuse": "refused", "unchanged": "unchanged"}  # fmt: skip
    said = [f"{counts[name]} {word}" for name, word in words.items() if counts[name]]
    return ", ".join(said) or "no objects"


def json_of(inspection: Inspection, objects: tuple[ObjectDiff, ...], **head: Any) -> dict[str, Any]:
    """Return the inspection for programs; absent values are null."""
    return {
        **head,
        "differs": inspection.differs,
        "objects": [_object_json(one) for one in objects],
        "problems": [_problem_json(problem) for problem in inspection.problems],
    }


def _object_json(one: ObjectDiff) -> dict[str, Any]:
    step = one.step
    return {
        "object": str(step.key),
        "action": str(step.action),
        "reason": str(step.reason),
        "differs": one.differs,
        "source": step.desired.source if step.desired else None,
        "until": format_time(step.retry_at) if step.retry_at else None,
        "fields": [_field_json(field) for field in one.fields],
        "problem": _problem_json(step.problem) if step.problem else None,
    }


def _field_json(field: FieldDiff) -> dict[str, Any]:
    return {
        "path": field.path,
        "lastApplied": field.last,
        "git": field.git,
        "live": field.live,
        "changedBy": str(field.side),
        "manager": field.manager or None,
        "operation": field.operation or None,
        "subresource": field.subresource or None,
        "time": format_time(field.changed_at) if field.changed_at else None,
    }


def _problem_json(problem: Problem) -> dict[str, Any]:
    return {
        "code": str(problem.code),
        "message": problem.message,
        "hint": problem.hint,
        "source": problem.source or None,
        "object": problem.object or None,
    }
