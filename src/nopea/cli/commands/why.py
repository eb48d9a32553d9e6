"""`nopea why`: what is wrong with a GitRepository, and what to do. Reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nopea.cli.cluster import ClusterChoice, cluster_options, output_option, run_with_cluster
from nopea.cli.repository_name import RepositoryName

if TYPE_CHECKING:
    from nopea.kube.client import KubeClient


@click.command("why")
@click.argument("name", type=RepositoryName())
@output_option
@cluster_options
def command(*, cluster: ClusterChoice, name: str, output: str) -> None:
    """Show what is wrong with GitRepository NAME, worst first, and what to do about it.

    This covers errors, unhealthy objects, drift that was not reverted and who caused it, what it waits for,
    and a suspension or a rollback, all as the controller saw it last.

    Exit codes: 0 nothing needs you, 1 something does, 2 wrong usage, 3 the cluster could not be read.
    """

    async def work(client: KubeClient, namespace: str) -> int:
        return await _show(client, namespace, name, output)

    run_with_cluster(cluster, work)


async def _show(client: KubeClient, namespace: str, name: str, output: str) -> int:
    from datetime import UTC, datetime

    from nopea.cli.heartbeat import liveness
    from nopea.cli.output.concerns import status_json, why_json, why_lines
    from nopea.cli.output.messages import print_json, terminal_width
    from nopea.cli.repository import read_repository
    from nopea.core.objects import RepoKey
    from nopea.core.status.concerns import concerns_of

    repository = await read_repository(client, RepoKey(namespace, name))
    concerns = concerns_of(repository)
    controller = await liveness(client, repository.key.namespace)
    if output == "json":
        told = status_json([], controller=controller)["controller"]
        print_json({**why_json(repository, concerns), "controller": told})
    else:
        now, width = datetime.now(UTC), terminal_width()
        for line in why_lines(repository, concerns, controller=controller, now=now, width=width):
            click.echo(line)
    return int(any(each.kind.needs_somebody for each in concerns) or controller.running is False)
