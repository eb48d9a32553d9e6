"""`nopea sync`: ask the controller to sync now, and wait for the result if --wait is given.

Annotates the GitRepository and writes to no other object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nopea.cli.cluster import ClusterChoice, cluster_options, run_with_cluster
from nopea.cli.repository_name import RepositoryName
from nopea.cli.wait import Waiting, wait_options

if TYPE_CHECKING:
    from nopea.core.api.repository import Repository
    from nopea.kube.client import KubeClient


@click.command("sync")
@click.argument("name", type=RepositoryName())
@wait_options
@cluster_options
def command(*, cluster: ClusterChoice, name: str, waiting: Waiting | None) -> None:
    """Sync GitRepository NAME with Git now.

    This also reverts drift, whatever the healPolicy; `nopea diff NAME` shows it first. --wait ends when all
    objects are healthy, or when one of them has been unhealthy for 5 s.

    Example: nopea sync shop --wait --timeout 2m

    Exit codes: 0 requested (with --wait: synced and healthy), 1 the sync failed or timed out, an object is
    unhealthy, the GitRepository is suspended, or the controller runs read-only and a sync would change
    something, 2 wrong usage, 3 the cluster could not be read or changed.
    """

    async def work(client: KubeClient, namespace: str) -> int:
        return await _sync(client, namespace, name, waiting)

    run_with_cluster(cluster, work)


async def _sync(client: KubeClient, namespace: str, name: str, waiting: Waiting | None) -> int:
    from nopea.cli.repository import read_repository, refuse_deleting
    from nopea.cli.requests import SyncRequest
    from nopea.cli.wait import EXIT_SYNCED, print_suspended, wait_for
    from nopea.core.objects import RepoKey
    from nopea.core.status.read_only import is_read_only

    repository = await read_repository(client, RepoKey(namespace, name))
    refuse_deleting(repository)
    if repository.suspended:
        return print_suspended(repository)
    value = await request_sync(client, repository)
    message = f"Requested a sync of GitRepository {repository.key}."
    if is_read_only(repository.status.conditions):
        message = f"Requested a plan of GitRepository {repository.key}: the controller runs read-only."
    if waiting is not None:
        return await wait_for(client, repository, SyncRequest(value), message=message, waiting=waiting)
    click.echo(message)
    return EXIT_SYNCED


async def request_sync(client: KubeClient, repository: Repository) -> str:
    """Ask the controller to sync; return the value of the request's annotation. Raises ApiError."""
    from nopea.cli.repository import annotate
    from nopea.cli.requests import request_value
    from nopea.core.api.names import SYNC_REQUESTED_ANNOTATION
    from nopea.kube.kinds import repository_target

    value = request_value()
    await annotate(client, repository_target(repository.key), {SYNC_REQUESTED_ANNOTATION: value})
    return value
