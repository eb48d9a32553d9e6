"""`nopea tree`: list the objects of a GitRepository, as its status and inventory record them. Reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nopea.cli.cluster import ClusterChoice, cluster_options, output_option, run_with_cluster
from nopea.cli.repository_name import RepositoryName

if TYPE_CHECKING:
    from nopea.kube.client import KubeClient


@click.command("tree")
@click.argument("name", type=RepositoryName())
@output_option
@cluster_options
def command(*, cluster: ClusterChoice, name: str, output: str) -> None:
    """List the objects of GitRepository NAME, with the sync and the health of each.

    Sync is Synced, Drifted, Failed or Suspended; health is Healthy, Progressing, Unhealthy, Terminating
    or Unknown. Both are as the controller saw them last.

    Exit codes: 0 listed, 2 wrong usage, 3 the cluster could not be read.
    """

    async def work(client: KubeClient, namespace: str) -> int:
        return await _show(client, namespace, name, output)

    run_with_cluster(cluster, work)


async def _show(client: KubeClient, namespace: str, name: str, output: str) -> int:
    from nopea.cli.heartbeat import warn_if_dead
    from nopea.cli.output.messages import print_json
    from nopea.cli.output.tree import tree_json, tree_lines
    from nopea.cli.repository import read_repository, read_state
    from nopea.core.objects import RepoKey

    repository = await read_repository(client, RepoKey(namespace, name))
    state = await read_state(client, repository)
    if output == "json":
        print_json(tree_json(repository, state.applied))
    else:
        for line in tree_lines(repository, state.applied):
            click.echo(line)
    await warn_if_dead(client, repository.key.namespace)
    return 0
