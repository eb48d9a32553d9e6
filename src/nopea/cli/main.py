"""The `nopea` command: finds the subcommand, whose file is in `commands/` (or in the package nopea-lab)."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING

import click

from nopea import __version__
from nopea.cli.output.messages import PLUGIN

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

SUBCOMMANDS = {
    "run": ("nopea.cli.commands.run", "Run the controller."),
    "status": ("nopea.cli.commands.status", "Show whether everything is all right."),
    "get": ("nopea.cli.commands.get", "List repositories, as kubectl does."),
    "why": ("nopea.cli.commands.why", "Show what is wrong with a repository, and what to do."),
    "diff": ("nopea.cli.commands.diff", "Show how the cluster differs from Git, and who changed it."),
    "plan": ("nopea.cli.commands.plan", "Show what applying a folder would do."),
    "render": ("nopea.cli.commands.render", "Print what a folder or a repository declares."),
    "migrate": ("nopea.cli.commands.migrate", "Print GitRepositories for what Flux and Argo CD apply."),
    "heal": ("nopea.cli.commands.heal", "Revert manual changes in the cluster."),
    "sync": ("nopea.cli.commands.sync", "Sync with Git now."),
    "history": ("nopea.cli.commands.history", "List the last syncs that changed something or failed."),
    "events": ("nopea.cli.commands.events", "Show what happened, newest last."),
    "tree": ("nopea.cli.commands.tree", "List the objects of a repository with their sync and health."),
    "ui": ("nopea.cli.commands.ui", "Show the dashboard in a browser on this machine."),
    "rollback": ("nopea.cli.commands.rollback", "Return to an earlier commit and stay there."),
    "suspend": ("nopea.cli.commands.suspend", "Stop writing to a repository's objects, or to one object."),
    "resume": ("nopea.cli.commands.suspend:resume", "Undo `suspend`."),
    "confirm-prune": ("nopea.cli.commands.confirm_prune", "Allow a prune that the guard holds back."),
    "create": ("nopea.cli.commands.create", "Create a GitRepository, and show first what it does."),
    "install": ("nopea.cli.commands.install", "Install Nopea in a cluster."),
    "upgrade": ("nopea.cli.commands.install:upgrade", "Upgrade what `nopea install` installed."),
    "uninstall": ("nopea.cli.commands.uninstall", "Remove Nopea, and keep what it applied."),
    "doctor": ("nopea.cli.commands.doctor", "Look whether Nopea works as it should, and say what to do."),
    "export": ("nopea.cli.commands.export", "Print GitRepositories as manifests for another cluster."),
    "logs": ("nopea.cli.commands.logs", "Print what the controller logs about a repository."),
    "completion": ("nopea.cli.commands.completion", "Print the completion script for a shell."),
    "mcp": ("nopea.cli.commands.mcp", "Answer the questions of a model (needs the extra mcp)."),
    "version": ("nopea.cli.commands.version", "Print the version of this program."),
    "lab": ("nopea_lab.commands.lab", "Manage a local control plane (needs nopea-lab)."),
    "demo": ("nopea_lab.commands.demo", "Show all of Nopea on a local control plane (needs nopea-lab)."),
}
GROUPS = {
    "Look": ("status", "get", "why", "tree", "diff", "plan", "events", "history", "logs", "ui"),
    "Act": ("sync", "heal", "suspend", "resume", "rollback", "confirm-prune"),
    "Run": ("install", "upgrade", "uninstall", "doctor", "create", "export", "migrate", "run"),
    "Local": ("render", "lab", "demo", "mcp", "completion", "version"),
}
"""The sections of `nopea --help`."""

LAB_PACKAGE = "nopea_lab"
LAB_MISSING = (
    "`nopea {name}` needs the package nopea-lab, which is not installed. "
    "Install it with `pip install 'nopea[lab]'`, or with `pip install ./lab` in a checkout."
)


class LateGroup(click.Group):
    """A group that imports a subcommand only when it is called, so that `nopea --help` stays fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the subcommands in the order of the table."""
        del ctx
        return list(SUBCOMMANDS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the subcommand that the arguments name; the error for an unknown one has the nearest."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            near = get_close_matches(args[0], SUBCOMMANDS, n=1)
            if not near:
                raise
            raise click.UsageError(f"{error.message} Did you mean {near[0]!r}?", ctx) from error

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the subcommand; raises ClickException (exit code 1) when nopea-lab is not installed."""
        del ctx
        if cmd_name not in SUBCOMMANDS:
            return None
        location, _ = SUBCOMMANDS[cmd_name]
        module_name, _, attribute = location.partition(":")
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != LAB_PACKAGE:
                raise
            raise click.ClickException(LAB_MISSING.format(name=cmd_name)) from error
        command = getattr(module, attribute or "command")
        assert isinstance(command, click.Command)  # noqa: S101 - a wrong entry in the table is a bug
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the subcommands and options that begin so, without importing a subcommand."""
        from click.shell_completion import CompletionItem

        found = [
            CompletionItem(name, help=summary)
            for name, (_, summary) in SUBCOMMANDS.items()
            if name.startswith(incomplete)
        ]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the subcommands from the table, without importing them."""
        del ctx
        for title, names in GROUPS.items():
            rows = [(name, SUBCOMMANDS[name][1]) for name in names if name in SUBCOMMANDS]
            with formatter.section(title):
                formatter.write_dl(rows)


@click.group(cls=LateGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="nopea")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Nopea keeps Kubernetes clusters in sync with Git, and shows who changed them.

    \b
    Is everything all right?         nopea status
    Why is this not ready?           nopea why shop
    Who changed it?                  nopea diff shop
    What happens if I merge this?    nopea plan shop --ref my-branch
    """
    if os.environ.get("NO_COLOR"):  # https://no-color.org
        ctx.color = False


def plugin() -> None:
    """Run as `kubectl nopea`: kubectl finds the program `kubectl-nopea`. Usage lines and hints say so."""
    main(prog_name=PLUGIN)


def plugin_completion() -> None:
    """Complete `kubectl nopea`: kubectl calls the program `kubectl_complete-nopea` with the words so far.

    It prints a line for each possible word and, last, how the shell should take them: 4 means that they are
    no names of files, 0 that names of files are possible too.
    """
    import sys

    from click.shell_completion import ShellComplete

    *words, incomplete = sys.argv[1:] or [""]
    found = ShellComplete(main, {}, PLUGIN, "").get_completions(words, incomplete)
    for item in found:
        if item.type == "plain":
            click.echo(f"{item.value}\t{item.help}" if item.help else str(item.value))
    click.echo(":4" if all(item.type == "plain" for item in found) else ":0")
