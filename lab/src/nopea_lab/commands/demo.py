"""`nopea demo`: tells the whole story on a local control plane, in one screen, and cleans up after itself.

Whatever happens (an error, Ctrl-C, SIGTERM) ends what was started; after SIGKILL the lab's keeper does.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import click

from nopea_lab.binaries import Search
from nopea_lab.commands.lab import errors_on_stderr
from nopea_lab.demo.farewell import what_to_try
from nopea_lab.demo.folder import DemoFolder, default_folder
from nopea_lab.demo.screen import Screen, screen_for
from nopea_lab.demo.story import tell
from nopea_lab.demo.world import DemoWorld
from nopea_lab.progress import Terminal

EXIT_TERMINATED = 128 + signal.SIGTERM


@click.command("demo")
@click.option(
    "--keep",
    is_flag=True,
    envvar="DEMO_KEEP",
    help="Leave the demo running and print what to try.  [env: DEMO_KEEP=1]",
)
@click.option("--end", is_flag=True, help="End a demo that was left running and remove its folder.")
@click.option(
    "--dir",
    "path",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="NOPEA_DEMO_DIR",
    help="The demo's folder.  [default: $XDG_STATE_HOME or ~/.local/state, then nopea/demo]",
)
def command(*, keep: bool, end: bool, path: Path | None) -> None:
    """Show Nopea on a local control plane: changes, a mistake, drift, pruning, break-glass.

    Needs git. Takes about 20 s when the control plane's programs are on this machine.

    Exit codes: 0 done, 1 a step failed, 130 interrupted, 143 terminated. Nothing is left running.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_TERMINATED))
    folder = DemoFolder((path or default_folder()).absolute())
    with errors_on_stderr():
        if end:
            _end(folder)
        else:
            with folder.held():
                _run(folder, keep=keep)


def _run(folder: DemoFolder, *, keep: bool) -> None:
    folder.claim()
    try:
        world = DemoWorld(folder, binaries=Search.by_environment(progress=Terminal()).ensure())
        screen = screen_for()
        tell(world, screen)
        if keep:
            world.keep_running()
            _say_what_to_try(world, screen)
        else:
            with screen.step("Ending") as step:
                world.end_controller()
                folder.remove()
                step.text = "Everything has ended and the folder is removed"
    except (KeyboardInterrupt, SystemExit):
        folder.remove()
        raise
    except BaseException:
        folder.clear(keep_logs=True)
        click.echo(f"The demo has ended. Its logs are in {folder.logs}.", err=True)
        raise


def _end(folder: DemoFolder) -> None:
    if not folder.path.exists():
        click.echo(f"There is no demo in {folder.path}.")
        return
    with folder.held():
        folder.remove()
    click.echo("The demo has ended and its folder is removed.")


def _say_what_to_try(world: DemoWorld, screen: Screen) -> None:
    screen.line("")
    screen.line("The demo keeps running and follows what you push. Try:", style="bold")
    for purpose, line in what_to_try(world):
        screen.line(f"  {purpose:<17}{line}")
