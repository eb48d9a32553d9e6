"""`nopea logs`: what the controller logs about a GitRepository, through the API server. Reads only."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import click

from nopea.cli.cluster import ClusterChoice, cluster_options, output_formats, run_with_cluster
from nopea.cli.duration import Duration
from nopea.cli.repository_name import RepositoryName

if TYPE_CHECKING:
    from nopea.cli.controller_log import LogChoice
    from nopea.kube.client import KubeClient


@click.command("logs")
@click.argument("name", required=False, type=RepositoryName())
@click.option("-f", "--follow", is_flag=True, help="Stay, and print each new line, until Ctrl-C.")
@click.option("--since", "seconds", type=Duration(), metavar="TIME", help="Only the last TIME, such as 10m.")
@output_formats("text", "wide", "json")
@cluster_options
def command(
    *, cluster: ClusterChoice, name: str | None, follow: bool, seconds: float | None, output: str
) -> None:
    """Print what the controller logs about GitRepository NAME, or all that it logs.

    The controller is the Pod that holds the Lease. -o json prints the lines as they are, -o wide breaks none.

    Example: nopea logs shop --since 10m --follow

    Exit codes: 0 printed, 2 wrong usage, 3 the log could not be read: there is no controller, it is not a Pod
    of this cluster, or you may not read pods/log in its namespace.
    """

    async def work(client: KubeClient, namespace: str) -> int:
        from nopea.cli.controller_log import LogChoice

        since = None if seconds is None else max(math.ceil(seconds), 1)
        choice = LogChoice(since_seconds=since, follow=follow)
        return await _print(client, namespace, name, choice, output)

    run_with_cluster(cluster, work)


async def _print(client: KubeClient, namespace: str, name: str | None, choice: LogChoice, output: str) -> int:
    from nopea.cli.controller_log import concerns, log_lines
    from nopea.cli.output.controller_log import log_text
    from nopea.cli.output.messages import print_hint, terminal_width
    from nopea.cli.repository import read_repository
    from nopea.core.objects import RepoKey

    key = None if name is None else (await read_repository(client, RepoKey(namespace, name))).key
    width, is_empty = terminal_width() if output == "text" else None, True
    async for line in log_lines(client, key.namespace if key else namespace, choice):
        if key is not None and not concerns(line, key):
            continue
        is_empty = False
        if output == "json":
            click.echo(line.decode(errors="replace"))
        else:
            for text in log_text(line, with_repository=key is None, width=width):
                click.echo(text)
    if is_empty:
        print_hint(f"The log has no line{f' about GitRepository {key}' if key else ''}.")
    return 0
