"""`nopea version`: the version of this program. Needs no cluster."""

from __future__ import annotations

import click

from nopea.cli.cluster import output_option


@click.command("version")
@output_option
def command(*, output: str) -> None:
    """Print the version of this program; the version of the controller is that of its image.

    Example: nopea version -o json

    Exit codes: 0 printed, 2 wrong usage.
    """
    import platform

    from nopea import __version__
    from nopea.cli.output.messages import print_document

    if output == "text":
        click.echo(f"nopea {__version__}")
        return
    versions = {"version": __version__, "python": platform.python_version(), "platform": platform.platform()}
    print_document(versions, output)
