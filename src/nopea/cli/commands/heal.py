"""`nopea heal`: ask the controller to revert manual drift, of all objects or of one.

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


@click.command("heal")
@click.argument("name", type=RepositoryName())
@click.argument("object_", metavar="[OBJECT]", nargs=-1)
@wait_options
@cluster_options
def command(*, cluster: ClusterChoice, name: str, object_: tuple[str, ...], waiting: Waiting | None) -> None:
    """Revert manual changes to the objects of GitRepository NAME, whatever its healPolicy.

    OBJECT limits it to one object: deployment/web, or apps/Deployment shop/web. Suspended GitRepositories
    and objects under break-glass stay as they are.

    Example: nopea heal shop deploy/web --wait

    Exit codes: 0 requested (with --wait: synced and healthy), 1 the sync failed or timed out, an object is
    unhealthy, or the GitRepository is suspended, 2 wrong usage, 3 the cluster could not be read or changed.
    """

    async def work(client: KubeClient, namespace: str) -> int:
        return await _heal(client, namespace, name, " ".join(object_), waiting)

    run_with_cluster(cluster, work)


async def _heal(
    client: KubeClient, namespace: str, name: str, reference: str, waiting: Waiting | None
) -> int:
    from nopea.cli.output.messages import print_hint
    from nopea.cli.repository import read_repository
    from nopea.cli.requests import HealRequest
    from nopea.cli.wait import print_suspended, wait_for
    from nopea.core.objects import RepoKey

    repository = await read_repository(client, RepoKey(namespace, name))
    if repository.suspended and waiting is not None:
        return print_suspended(repository)
    value, message = await request_heal(client, repository, reference)
    if waiting is not None:
        return await wait_for(client, repository, HealRequest(value), message=message, waiting=waiting)
    click.echo(message)
    if repository.suspended:
        ends = f"`nopea resume {repository.key.arguments}`"
        print_hint(f"The GitRepository is suspended: nothing is written until {ends}.")
    return 0


async def request_heal(client: KubeClient, repository: Repository, reference: str) -> tuple[str, str]:
    """Ask the controller to heal all objects, or the one that is meant.

    Returns the annotation's value and the sentence for the user. Raises CommandError, SyncError, ApiError.
    """
    from nopea.cli.repository import annotate, find_applied
    from nopea.cli.requests import request_value
    from nopea.core.api.names import HEAL_REQUESTED_ANNOTATION
    from nopea.kube.kinds import repository_target

    key = await find_applied(client, repository, reference) if reference else None
    value = f"{request_value()} {key}" if key else request_value()
    await annotate(client, repository_target(repository.key), {HEAL_REQUESTED_ANNOTATION: value})
    return value, f"Requested to heal {key or 'all objects'} of GitRepository {repository.key}."
