"""`nopea completion`: print the script with which a shell completes commands, options and names."""

from __future__ import annotations

import click

VARIABLE = "_NOPEA_COMPLETE"
"""The script calls `nopea` with this variable to get the possible words."""


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script for a shell. It completes names of GitRepositories too.

    \b
    bash: echo 'eval "$(nopea completion bash)"' >> ~/.bashrc
    zsh:  echo 'eval "$(nopea completion zsh)"' >> ~/.zshrc
    fish: nopea completion fish > ~/.config/fish/completions/nopea.fish

    kubectl's own completion completes `kubectl nopea` too.

    Example: nopea completion bash

    Exit codes: 0 printed, 2 wrong usage.
    """
    from click.shell_completion import get_completion_class

    complete = get_completion_class(shell)
    assert complete is not None  # noqa: S101 - click has a class for each of the choices
    click.echo(complete(ctx.find_root().command, {}, "nopea", VARIABLE).source())
