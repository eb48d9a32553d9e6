"""`nopea sync`: ask the controller for a pass at once, and follow it if that is wanted.

It annotates the GitRepository and writes to no other object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nopea.cli.cluster import ClusterChoice, answer, cluster_options
from nopea.cli.follow import wait_options

if TYPE_CHECKING:
    from nopea.kube.client import KubeClient


@click.command("sync")
@click.argument("name")
@wait_options
@cluster_options
def command(*, cluster: ClusterChoice, name: str, wait_seconds: float | None) -> None:
    """Have the controller look at Git and at the cluster now, for GitRepository NAME.

    Drift is put right as well, whatever the healPolicy: `nopea diff NAME` shows it first.

    Exit codes: 0 asked (with --wait: it synced), 1 the pass failed, the time was over, or the repository is
    suspended, 2 wrong usage, 3 the cluster could not be asked.
    """

    async def work(client: KubeClient, namespace: str) -> int:
        return await _sync(client, namespace, name, wait_seconds)

    answer(cluster, work)


async def _sync(client: KubeClient, namespace: str, name: str, wait_seconds: float | None) -> int:
    from nopea.cli.follow import EXIT_SYNCED, follow, request_value, say_suspended
    from nopea.cli.repository import annotate, read_repository, refuse_deleting
    from nopea.cli.requested import SyncRequest
    from nopea.core.api.names import SYNC_REQUESTED_ANNOTATION
    from nopea.core.objects import RepoKey
    from nopea.kube.kinds import repository_target

    repository = await read_repository(client, RepoKey(namespace, name))
    refuse_deleting(repository)
    if repository.suspended:
        return say_suspended(repository)
    value = request_value()
    await annotate(client, repository_target(repository.key), {SYNC_REQUESTED_ANNOTATION: value})
    said = f"asked GitRepository {repository.key} for a pass"
    if wait_seconds is not None:
        return await follow(client, repository, SyncRequest(value), said=said, seconds=wait_seconds)
    click.echo(said)
    return EXIT_SYNCED
