"""Print what `diff` and `plan` found: JSON on standard output, problems on standard error."""

from __future__ import annotations

from typing import Any

import click
import orjson

from nopea.cli.cluster import fail
from nopea.reconcile.inspect import Inspection


def print_json(value: Any) -> None:
    """Print one JSON document."""
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def print_problems(inspection: Inspection) -> None:
    """Print the problems that no object's own line has told."""
    told = {one.step.problem for one in inspection.objects}
    for problem in inspection.problems:
        if problem not in told:
            where = " ".join(part for part in (problem.source, problem.object) if part)
            fail(f"{problem.code}{f' {where}' if where else ''}: {problem.message}", problem.hint)
