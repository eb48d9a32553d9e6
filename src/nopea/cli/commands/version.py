"""`nopea version`: the version of this program. Needs no cluster."""

from __future__ import annotations

import click

from nopea.cli.cluster import output_option


@click.command("version")
@output_option
def command(*, output: str) -> None:
    """Print the version of this program; the version of the controller is that of its image."""
    import platform

    from nopea import __version__
    from nopea.cli.output.messages import print_json

    if output == "json":
        print_json(
            {"version": __version__, "python": platform.python_version(), "platform": platform.platform()}
        )
    else:
        click.echo(f"nopea {__version__}")
