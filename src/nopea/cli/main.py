"""The `nopea` command: parses arguments and hands over; each subcommand has a file of its own."""

from __future__ import annotations

import importlib

import click

from nopea import __version__

SUBCOMMANDS = {
    "run": ("nopea.cli.run", "Run the controller."),
    "diff": ("nopea.cli.diff", "Show what differs, from what to what, and who changed it."),
    "plan": ("nopea.cli.plan", "Show what applying a folder would do."),
    "heal": ("nopea.cli.heal", "Put right what people changed in the cluster."),
    "sync": ("nopea.cli.sync", "Have Git and the cluster looked at now."),
    "history": ("nopea.cli.history", "List the passes that changed something, failed or recovered."),
    "rollback": ("nopea.cli.rollback", "Go back to an earlier commit, and stay there."),
    "suspend": ("nopea.cli.suspend", "Write nothing to a repository's objects, or to one."),
    "resume": ("nopea.cli.suspend:resume", "End what `suspend` began."),
    "lab": ("nopea_lab.commands.lab", "A local control plane: up, status, down."),
    "demo": ("nopea_lab.commands.demo", "Tell the whole story on a local control plane."),
}


class LateGroup(click.Group):
    """A group that imports a subcommand only when it is called, so that `nopea --help` stays fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the subcommands in the order of the table."""
        del ctx
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the subcommand, or a placeholder with its help while only help is asked for."""
        del ctx
        if cmd_name not in SUBCOMMANDS:
            return None
        place, _ = SUBCOMMANDS[cmd_name]
        module, _, name = place.partition(":")
        try:
            command = getattr(importlib.import_module(module), name or "command")
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "nopea_lab":
                raise
            raise click.ClickException(
                f"`nopea {cmd_name}` is not installed. Install it with `pip install 'nopea[lab]'`."
            ) from error
        assert isinstance(command, click.Command)  # noqa: S101 - a wrong table entry is a bug of ours
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the subcommands from the table, without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in SUBCOMMANDS.items()])


@click.group(cls=LateGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="nopea")
def main() -> None:
    """Nopea keeps Kubernetes clusters equal to Git, and says who made them differ."""
