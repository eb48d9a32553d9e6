"""`nopea tree`: the objects of a GitRepository as its status records them, down to their Pods. Reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nopea.cli.cluster import ClusterChoice, cluster_options, output_formats, run_with_cluster
from nopea.cli.repository_name import RepositoryName

if TYPE_CHECKING:
    from nopea.kube.client import KubeClient


@click.command("tree")
@click.argument("name", type=RepositoryName())
@output_formats("text", "wide", "json", "yaml", "name")
@cluster_options
def command(*, cluster: ClusterChoice, name: str, output: str) -> None:
    """List the objects of GitRepository NAME with the sync and the health of each, down to its Pods.

    Sync is Synced, Drifted, Failed or Suspended; health is Healthy, Progressing, Unhealthy, Terminating
    or Unknown. Both are as the controller saw them last. What the objects own (ReplicaSets, Jobs, Pods) is
    read now, with your rights. -o wide lists every Pod and cuts nothing.

    Example: nopea tree shop -n team-shop

    Exit codes: 0 listed, 2 wrong usage, 3 the cluster could not be read.
    """

    async def work(client: KubeClient, namespace: str) -> int:
        return await _show(client, namespace, name, output)

    run_with_cluster(cluster, work)


async def _show(client: KubeClient, namespace: str, name: str, output: str) -> int:
    from nopea.cli.heartbeat import warn_if_dead
    from nopea.cli.output.messages import print_document, terminal_width
    from nopea.cli.output.tree import tree_json, tree_lines
    from nopea.cli.progress import show_late_progress
    from nopea.cli.repository import read_repository, read_state
    from nopea.core.objects import RepoKey
    from nopea.kube.descendants import read_descendants

    repository = await read_repository(client, RepoKey(namespace, name))
    state = await read_state(client, repository)
    if output == "name":
        for key in sorted(state.applied):
            click.echo(str(key))
        return 0
    with show_late_progress("Reading ReplicaSets, Jobs and Pods."):
        descendants = await read_descendants(client, state.applied)
    if output in ("json", "yaml"):
        print_document(tree_json(repository, state.applied, descendants), output)
    else:
        is_wide = output == "wide"
        width = None if is_wide else terminal_width()
        lines = tree_lines(repository, state.applied, descendants, width=width, every_pod=is_wide)
        for line in lines:
            click.echo(line)
    await warn_if_dead(client, repository.key.namespace)
    return 0
