"""`nopea status`: whether everything is all right, in one screen. Reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nopea.cli.cluster import ClusterChoice, cluster_options, output_option, run_with_cluster

if TYPE_CHECKING:
    from nopea.kube.client import KubeClient


@click.command("status")
@output_option
@cluster_options
def command(*, cluster: ClusterChoice, output: str) -> None:
    """Show whether all GitRepositories are all right, and those that need somebody, worst first.

    They are those of all namespaces, or of the one in -n. Who may not list all sees those of the current
    namespace.

    Exit codes: 0 nothing needs you, 1 something does, 2 wrong usage, 3 the cluster could not be read.
    """

    async def work(client: KubeClient, namespace: str) -> int:
        return await _show(client, namespace, is_given=cluster.namespace is not None, output=output)

    run_with_cluster(cluster, work)


async def _show(client: KubeClient, namespace: str, *, is_given: bool, output: str) -> int:
    import shutil
    import sys
    from datetime import UTC, datetime

    from nopea.cli.heartbeat import why_dead
    from nopea.cli.output.concerns import status_json, status_lines
    from nopea.cli.output.messages import print_error, print_json
    from nopea.cli.repository import list_repositories
    from nopea.core.status.concerns import concerns_of

    found = await list_repositories(client, namespace, everywhere=not is_given)
    concerns = [(repository, concerns_of(repository)) for repository in found]
    dead = await why_dead(client, namespace)
    if output == "json":
        print_json(status_json(concerns, controller=dead))
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 200
        for line in status_lines(concerns, now=datetime.now(UTC), width=width):
            click.echo(line)
        if dead:
            print_error(dead)
    needed = any(each.kind.needs_somebody for _, of_one in concerns for each in of_one)
    return int(needed or bool(dead))
