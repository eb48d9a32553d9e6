"""What every command prints the same way: an error with its hint, a problem with its code, a JSON document.

Errors go to standard error, JSON to standard output.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from nopea.core.api.entries import StatusError
    from nopea.core.problem import Problem


def print_error(message: str, hint: str = "") -> None:
    """Print to standard error what is wrong and, on a line of its own, what to do."""
    click.secho(f"✗ {message}", fg="red", err=True)
    if hint:
        print_hint(hint)


def print_hint(hint: str) -> None:
    """Print one line of advice to standard error."""
    click.echo(f"→ {hint}", err=True)


def print_problem(problem: Problem | StatusError, *, hint: str | None = None) -> None:
    """Print a problem with its code and place; `hint` replaces the problem's own."""
    where = " ".join(str(part) for part in (problem.source, problem.object) if part)
    place = f" {where}" if where else ""
    print_error(f"{problem.code}{place}: {problem.message}", problem.hint if hint is None else hint)


def print_json(value: Any) -> None:
    """Print one JSON document."""
    import orjson

    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def count(number: int, noun: str) -> str:
    """Return `1 object`, `2 objects`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
