"""Format an inspection as lines and as JSON. Values of Secrets are masked before they arrive here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import click

from nopea.cli.output.messages import print_problem
from nopea.core.api.conditions import format_time
from nopea.core.drift.three_way import Side
from nopea.core.plan.model import Action, Reason
from nopea.core.plan.object_diff import ADMISSION, FieldDiff, ObjectDiff
from nopea.core.problem import Problem
from nopea.reconcile.inspect import Inspection

_LINE_LENGTH = 100
"""A path and its three values up to this many characters share one line."""

_VALUE_LENGTH = 1000
"""Longer values are cut in text, not in JSON."""

_COLOURS = {
    Action.CREATE: "green",
    Action.APPLY: "yellow",
    Action.PRUNE: "red",
    Action.REFUSE: "red",
    Action.LEAVE: "cyan",
}
_SIDES = {Side.GIT: "green", Side.CLUSTER: "yellow", Side.BOTH: "red"}


def object_lines(objects: tuple[ObjectDiff, ...]) -> Iterator[str]:
    """Yield the lines of each object: the action and its reason, then the fields."""
    for object_diff in objects:
        step = object_diff.step
        source = f"  {step.desired.source}" if step.desired else ""
        verb = click.style(f"{step.action:<6}", fg=_COLOURS[step.action], bold=True)
        yield f"{verb} {click.style(str(step.key), bold=True)}: {step.reason}{click.style(source, dim=True)}"
        if step.retry_at is not None:
            yield f"         until {format_time(step.retry_at)}"
        for field in object_diff.fields:
            yield from _field(field)
        if object_diff.unchecked:
            yield click.style(f"    not checked: {object_diff.unchecked}", dim=True)
        if step.problem is not None:
            yield click.style(f"    {step.problem.message}", fg="red")
            yield f"    → {step.problem.hint}"


def _field(field: FieldDiff) -> Iterator[str]:
    colour = _SIDES[field.side]
    values = [
        _cut(field.last, "(none)" if field.last_is_known else "(unknown)"),
        _cut(field.git, "(none)"),
        _cut(field.live, "(none)"),
    ]
    author = ", ".join(part for part in (_author(field), field.note) if part)
    if sum(map(len, values)) + len(field.path) <= _LINE_LENGTH:
        shown = " → ".join(values[:2]) + " → " + click.style(values[2], fg=colour)
        yield f"    {click.style(field.path, fg=colour)}: {shown}   {author}"
        return
    yield f"    {click.style(field.path, fg=colour)}:   {author}"
    for name, value in zip(("last applied", "Git", "live"), values, strict=True):
        yield f"      {name:<12}  {value}"


def _cut(value: str | None, absent: str) -> str:
    if value is None:
        return absent
    return value if len(value) <= _VALUE_LENGTH else f"{value[: _VALUE_LENGTH - 1]}…"


def _author(field: FieldDiff) -> str:
    """Return who changed the field, how, and when, as far as Kubernetes records it."""
    if field.note == ADMISSION:
        return ""
    if not field.manager:
        return "by Git" if field.side is Side.GIT else "(Kubernetes does not record by whom)"
    how = "/".join(part for part in (field.operation, field.subresource) if part)
    when = f" at {format_time(field.changed_at)}" if field.changed_at else ""
    return f"by {field.manager}{f' ({how})' if how else ''}{when}"


def summary(objects: tuple[ObjectDiff, ...]) -> str:
    """Return the counts of a plan: `1 to create, 2 to apply, 5 unchanged`."""
    counts = Counter(
        "unchanged" if diff.step.reason in (Reason.UNCHANGED, Reason.IGNORED) else str(diff.step.action)
        for diff in objects
    )
    words = {"create": "to create", "apply": "to apply", "prune": "to prune", "leave": "left as is",
             "refuse": "refused", "unchanged": "unchanged"}  # fmt: skip
    parts = [f"{counts[name]} {word}" for name, word in words.items() if counts[name]]
    return ", ".join(parts) or "No objects."


def inspection_json(inspection: Inspection, objects: tuple[ObjectDiff, ...], **head: Any) -> dict[str, Any]:
    """Return the inspection as a JSON document with `head` in front; absent values are null."""
    return {
        **head,
        "differs": inspection.differs,
        "objects": [_object_json(object_diff) for object_diff in objects],
        "problems": [_problem_json(problem) for problem in inspection.problems],
    }


def print_other_problems(inspection: Inspection) -> None:
    """Print to standard error the problems that no object's own lines show."""
    shown = {object_diff.step.problem for object_diff in inspection.objects}
    for problem in inspection.problems:
        if problem not in shown:
            print_problem(problem)


def _object_json(object_diff: ObjectDiff) -> dict[str, Any]:
    step = object_diff.step
    return {
        "object": str(step.key),
        "action": str(step.action),
        "reason": str(step.reason),
        "differs": object_diff.differs,
        "source": step.desired.source if step.desired else None,
        "until": format_time(step.retry_at) if step.retry_at else None,
        "fields": [_field_json(field) for field in object_diff.fields],
        "problem": _problem_json(step.problem) if step.problem else None,
        "unchecked": object_diff.unchecked or None,
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
        "note": field.note or None,
    }


def _problem_json(problem: Problem) -> dict[str, Any]:
    return {
        "code": str(problem.code),
        "message": problem.message,
        "hint": problem.hint,
        "source": problem.source or None,
        "object": problem.object or None,
    }
