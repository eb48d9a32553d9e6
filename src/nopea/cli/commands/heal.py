"""`nopea heal`: ask the controller to revert manual drift, of all objects or of one.

Annotates the GitRepository and writes to no other object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nopea.cli.cluster import ClusterChoice, cluster_options, run_with_cluster
from nopea.cli.repository_name import RepositoryName

if TYPE_CHECKING:
    from nopea.core.api.repository import Repository
    from nopea.kube.client import KubeClient


@click.command("heal")
@click.argument("name", type=RepositoryName())
@click.argument("object_", metavar="[OBJECT]", nargs=-1)
@cluster_options
def command(*, cluster: ClusterChoice, name: str, object_: tuple[str, ...]) -> None:
    """Revert manual changes to the objects of GitRepository NAME, whatever its healPolicy.

    OBJECT limits it to one object: deployment/web, or apps/Deployment shop/web. Suspended GitRepositories
    and objects under break-glass stay as they are.

    Exit codes: 0 the request is made, 2 wrong usage, 3 the cluster could not be read or changed.
    """

    async def work(client: KubeClient, namespace: str) -> int:
        return await _heal(client, namespace, name, " ".join(object_))

    run_with_cluster(cluster, work)


async def _heal(client: KubeClient, namespace: str, name: str, reference: str) -> int:
    from nopea.cli.output.messages import print_hint
    from nopea.cli.repository import read_repository
    from nopea.core.objects import RepoKey

    repository = await read_repository(client, RepoKey(namespace, name))
    click.echo(await request_heal(client, repository, reference))
    if repository.suspended:
        ends = f"`nopea resume {repository.key.arguments}`"
        print_hint(f"The GitRepository is suspended: nothing is written until {ends}.")
    return 0


async def request_heal(client: KubeClient, repository: Repository, reference: str) -> str:
    """Ask the controller to heal all objects, or the one that is meant; return the sentence that says so.

    Raises CommandError, SyncError, ApiError.
    """
    from nopea.cli.repository import annotate, find_applied
    from nopea.cli.requests import request_value
    from nopea.core.api.names import HEAL_REQUESTED_ANNOTATION
    from nopea.kube.kinds import repository_target

    key = await find_applied(client, repository, reference) if reference else None
    value = request_value()
    target = repository_target(repository.key)
    await annotate(client, target, {HEAL_REQUESTED_ANNOTATION: f"{value} {key}" if key else value})
    return f"Requested to heal {key or 'all objects'} of GitRepository {repository.key}."
