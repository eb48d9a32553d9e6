"""`nopea lab`: a local control plane for trying things out, for tests and benchmarks.

Standard output has the answer only (a path, a table); everything else goes to standard error.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from nopea_lab.binaries import Search
from nopea_lab.errors import LabError
from nopea_lab.lab import Lab
from nopea_lab.layout import LabOptions, default_folder
from nopea_lab.progress import Terminal

EXIT_FAILED = 1
EXIT_INTERRUPTED = 128 + signal.SIGINT

_FOLDER = click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="NOPEA_LAB_DIR",
    help="The lab's folder.  [default: $XDG_STATE_HOME or ~/.local/state, then nopea/lab]",
)
_OFFLINE = click.option(
    "--offline",
    is_flag=True,
    help="Build missing programs instead of downloading releases.  [env: NOPEA_LAB_DOWNLOAD=0]",
)


@click.group()
def command() -> None:
    """Run a local control plane: etcd, API server and controller manager, with --pods also a node."""


@command.command()
@_FOLDER
@_OFFLINE
@click.option("--no-watch-cache", is_flag=True, help="Let a new lab's API server serve each watch from etcd.")
@click.option("--pods", is_flag=True, help="Add a scheduler and a simulated node so that Pods run.")
def up(folder: Path | None, *, offline: bool, no_watch_cache: bool, pods: bool) -> None:
    """Start the lab, or repair it, and print the path of its kubeconfig."""
    with errors_on_stderr():
        progress = Terminal()
        folder = folder or default_folder()
        options = LabOptions(watch_cache=not no_watch_cache, pods=pods)
        has_pods = Lab.open(folder, options=options).has_pods
        binaries = Search.by_environment(offline=offline, pods=has_pods, progress=progress).ensure()
        lab = Lab.open(folder, options=options, binaries=binaries)
        lab.start(progress=progress)
    click.echo(lab.kubeconfig)


@command.command()
@_FOLDER
@click.option(
    "--keep-data", is_flag=True, help="Keep objects, certificates and ports for the next `nopea lab up`."
)
def down(folder: Path | None, *, keep_data: bool) -> None:
    """End the lab's processes and remove its folder."""
    lab = Lab.open(folder or default_folder())
    with errors_on_stderr():
        was_there = lab.folder.exists()
        lab.stop(keep_data=keep_data)
    click.echo(
        f"The lab in {lab.folder} is down." if was_there else f"There is no lab in {lab.folder}.", err=True
    )


@command.command()
@_FOLDER
def status(folder: Path | None) -> None:
    """Show the lab's processes; exit with 1 unless all run."""
    lab = Lab.open(folder or default_folder())
    with errors_on_stderr():
        rows = lab.status()
    table = [("PROCESS", "PID", "STATE", "URL")]
    table += [(row.name, str(row.pid or "-"), row.state, row.url or "-") for row in rows]
    widths = [max(len(row[column]) for row in table) for column in range(3)]
    for name, pid, state, url in table:
        click.echo(f"{name:<{widths[0]}}  {pid:<{widths[1]}}  {state:<{widths[2]}}  {url}".rstrip())
    if not all(row.is_running for row in rows):
        click.echo(f"The lab in {lab.folder} is not running. Start it with `nopea lab up`.", err=True)
        raise click.exceptions.Exit(EXIT_FAILED)


@command.command()
@_OFFLINE
@click.option("--pods", is_flag=True, help="Include the programs that run Pods.")
def binaries(*, offline: bool, pods: bool) -> None:
    """Find, download or build the programs and print their folder."""
    with errors_on_stderr():
        found = Search.by_environment(offline=offline, pods=pods, progress=Terminal()).ensure()
        click.echo(f"Source: {found.origin}", err=True)
    click.echo(found.folder)


@contextmanager
def errors_on_stderr() -> Iterator[None]:
    """Print an error of the lab as one message and exit with 1; a Ctrl-C exits with 130."""
    try:
        yield
    except LabError as error:
        click.secho(f"✗ {error.message}", fg="red", err=True)
        if error.detail:
            click.echo(error.detail, err=True)
        click.echo(f"→ {error.hint}", err=True)
        raise click.exceptions.Exit(EXIT_FAILED) from error
    except KeyboardInterrupt:
        click.echo("Interrupted. Nothing that this command started is left running.", err=True)
        raise click.exceptions.Exit(EXIT_INTERRUPTED) from None
