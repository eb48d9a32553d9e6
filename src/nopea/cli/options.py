"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click


def _relative(context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    del context
    if value is not None and (value.startswith("/") or ".." in value.split("/")):
        raise click.BadParameter("must be relative to the folder and must not contain '..'", param=option)
    return value


class SectionedCommand(click.Command):
    """A command whose help lists its options in sections."""

    def __init__(self, *arguments: Any, sections: Mapping[str, str], **named: Any) -> None:
        """Take the title of each section by the name of its first option."""
        super().__init__(*arguments, **named)
        self.sections = sections

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, each in the section that began last."""
        title: str = "Options"
        rows: list[tuple[str, str]] = []
        for param in self.get_params(ctx):
            if param.name in self.sections:
                self._write(formatter, title, rows)
                title, rows = self.sections[param.name], []
            if (row := param.get_help_record(ctx)) is not None:
                rows.append(row)
        self._write(formatter, title, rows)

    @staticmethod
    def _write(formatter: click.HelpFormatter, title: str, rows: list[tuple[str, str]]) -> None:
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows)


def path_option(function: Any) -> Any:
    """Add --path: the folder to render below the given root of a repository."""
    return click.option(
        "--path",
        metavar="PATH",
        callback=_relative,
        help="Folder below DIR to render, where DIR is the root of the repository.  "
        "[default: DIR; its root is that of the Git working copy]",
    )(function)


def server_option(function: Any) -> Any:
    """Add --server/--no-server: whether the API server is asked what it would say to each write."""
    return click.option(
        "--server/--no-server",
        default=True,
        help="Try each write on the API server, without storing anything.  [default: --server]",
    )(function)


def profile_option(text: str, *, default: str = "tenants") -> Callable[[Any], Any]:
    """Add --profile: with whose rights Nopea applies; None means the default that the help names."""
    return click.option(
        "--profile",
        type=click.Choice(["tenants", "any-namespace", "cluster-admin", "read-only"]),
        help=f"{text}  [default: {default}]",
    )
