"""What every command prints the same way: an error with its hint, a problem with its code, a JSON document.

Errors go to standard error, JSON to standard output.
"""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from nopea.core.api.entries import StatusError
    from nopea.core.problem import Problem

_COMMAND = re.compile(r"`[^`]*`.?")
PLUGIN = "kubectl nopea"
"""How people call the plugin for kubectl, who may not have the program `nopea`."""

_GLUE = "\x00"
"""Stands for a space at which a line must not break."""


def as_called(text: str) -> str:
    """Return a text with the commands in backticks as people call them: `kubectl nopea …` for the plugin."""
    context = click.get_current_context(silent=True)
    is_plugin = context is not None and context.find_root().info_name == PLUGIN
    return text.replace("`nopea ", f"`{PLUGIN} ") if is_plugin else text


def print_error(message: str, hint: str = "") -> None:
    """Print to standard error what is wrong and, on a line of its own, what to do."""
    click.secho(f"✗ {as_called(message)}", fg="red", err=True)
    if hint:
        print_hint(hint)


def print_hint(hint: str) -> None:
    """Print one line of advice to standard error."""
    click.echo(f"→ {as_called(hint)}", err=True)


def print_problem(problem: Problem | StatusError, *, hint: str | None = None) -> None:
    """Print a problem with its code and place; `hint` replaces the problem's own."""
    where = " ".join(str(part) for part in (problem.source, problem.object) if part)
    place = f" {where}" if where else ""
    print_error(f"{problem.code}{place}: {problem.message}", problem.hint if hint is None else hint)


def print_json(value: Any) -> None:
    """Print one JSON document."""
    import orjson

    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def print_document(value: dict[str, Any], output: str) -> None:
    """Print one document as `json` or `yaml`."""
    if output == "json":
        print_json(value)
        return
    from nopea.core.show.yaml_text import yaml_of

    click.echo(yaml_of(value), nl=False)


def terminal_width() -> int | None:
    """Return the columns of the terminal; None if standard output is not a terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def wrapped(text: str, *, width: int | None, indent: str = "", first: str = "") -> Iterator[str]:
    """Yield a text in lines of at most `width` characters, broken between words; None means one line.

    `first` is before the first line, `indent` before each other one. A command in backticks stays on one line
    if it fits on one, so that it can be copied.
    """
    text = as_called(text)
    if width is None:
        yield f"{first}{text}"
        return
    room = max(width, len(indent) + 20)

    def together(command: re.Match[str]) -> str:
        return command[0].replace(" ", _GLUE) if len(command[0]) < room - len(indent) else command[0]

    lines = textwrap.wrap(
        _COMMAND.sub(together, text),
        room,
        initial_indent=first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    for line in lines:
        yield line.replace(_GLUE, " ")
