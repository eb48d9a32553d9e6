"""`nopea history`: the passes of note of a GitRepository, as its status keeps them. Reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nopea.cli.cluster import ClusterChoice, answer, cluster_options

if TYPE_CHECKING:
    from nopea.kube.client import KubeClient


@click.command("history")
@click.argument("name")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="How to print it.")
@cluster_options
def command(*, cluster: ClusterChoice, name: str, output: str) -> None:
    """Show the last 10 passes of GitRepository NAME that changed something, failed or recovered.

    Exit codes: 0 shown, 2 wrong usage, 3 the cluster could not be asked.
    """

    async def work(client: KubeClient, namespace: str) -> int:
        return await _show(client, namespace, name, output)

    answer(cluster, work)


async def _show(client: KubeClient, namespace: str, name: str, output: str) -> int:
    import shutil
    import sys
    from datetime import UTC, datetime

    from nopea.cli.historytext import json_of, lines_of
    from nopea.cli.report import print_json
    from nopea.cli.repository import read_repository
    from nopea.core.objects import RepoKey

    repository = await read_repository(client, RepoKey(namespace, name))
    if output == "json":
        print_json(json_of(repository))
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        for line in lines_of(repository, now=datetime.now(UTC), width=width):
            click.echo(line)
    if repository.pin_problem is not None:
        click.echo(f"→ {repository.pin_problem.message}: {repository.pin_problem.hint}", err=True)
    return 0
