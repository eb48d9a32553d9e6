"""Format an inspection as lines for a terminal. Values of Secrets are masked before they arrive here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from nopea.cli.output.messages import print_hint, print_problem
from nopea.core.api.repository import Repository
from nopea.core.plan.inspection import Inspection
from nopea.core.plan.model import Action
from nopea.core.plan.object_diff import ObjectDiff
from nopea.core.show.facts import HELD_BACK, change_lines, facts, other_problems, refusals, verb_of
from nopea.core.show.held import held_notes

_COLOURS = {
    Action.CREATE: "green",
    Action.APPLY: "yellow",
    Action.PRUNE: "red",
    Action.REFUSE: "red",
    Action.LEAVE: "cyan",
}
_LINES = {"+": "green", "-": "red", "@": "cyan"}


def object_lines(objects: Sequence[ObjectDiff]) -> Iterator[str]:
    """Yield the lines of each object: the action, its reason, who changed what, and the difference in YAML.

    Refused objects come last, and a message that several of them share is there once.
    """
    for object_diff in objects:
        if object_diff.step.action is not Action.REFUSE:
            yield _head(object_diff)
            yield from (f"    {line}" for line in facts(object_diff))
            yield from (f"    {_coloured(line)}" for line in change_lines(object_diff))
    for group in refusals(objects):
        yield from map(_head, group)
        for object_diff in group:
            yield from (f"    {line}" for line in facts(object_diff))
        problem = group[0].step.problem
        if problem is None:
            yield f"    {HELD_BACK}"
        else:
            yield click.style(f"    {problem.code}: {problem.message}", fg="red")
            yield f"    → {problem.hint}"


def print_held(repository: Repository) -> None:
    """Print to standard error why a sync would not do now what the plan shows."""
    for note in held_notes(repository):
        print_hint(note)


def print_other_problems(inspection: Inspection) -> None:
    """Print to standard error the problems that no object's own lines show."""
    for problem in other_problems(inspection):
        print_problem(problem)


def _head(object_diff: ObjectDiff) -> str:
    step = object_diff.step
    source = f"  {step.desired.source}" if step.desired else ""
    verb = click.style(f"{verb_of(object_diff):<6}", fg=_COLOURS[step.action], bold=True)
    return f"{verb} {click.style(str(step.key), bold=True)}: {step.reason}{click.style(source, dim=True)}"


def _coloured(line: str) -> str:
    return click.style(line, fg=_LINES.get(line[:1]))
