"""`nopea heal`: ask the controller to put manual drift right, of all objects or of one.

It annotates the GitRepository and writes to no other object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nopea.cli.cluster import ClusterChoice, answer, cluster_options

if TYPE_CHECKING:
    from nopea.kube.client import KubeClient


@click.command("heal")
@click.argument("name")
@click.argument("object_", metavar="[OBJECT]", nargs=-1)
@cluster_options
def command(*, cluster: ClusterChoice, name: str, object_: tuple[str, ...]) -> None:
    """Put right what people changed in the objects of GitRepository NAME, whatever its healPolicy.

    OBJECT is one of them: deployment/web, or apps/Deployment shop/web. Break-glass and suspend still hold.
    """

    async def work(client: KubeClient, namespace: str) -> int:
        return await _heal(client, namespace, name, " ".join(object_))

    answer(cluster, work)


async def _heal(client: KubeClient, namespace: str, name: str, text: str) -> int:
    from nopea.cli.follow import request_value
    from nopea.cli.repository import annotate, find_applied, read_repository
    from nopea.core.api.names import HEAL_REQUESTED_ANNOTATION
    from nopea.core.objects import RepoKey
    from nopea.kube.kinds import repository_target

    repository = await read_repository(client, RepoKey(namespace, name))
    key = await find_applied(client, repository, text) if text else None
    value = request_value()
    target = repository_target(repository.key)
    await annotate(client, target, {HEAL_REQUESTED_ANNOTATION: f"{value} {key}" if key else value})
    click.echo(f"asked to heal {key or 'all objects'} of GitRepository {repository.key}")
    if repository.suspended:
        click.echo(
            f"→ it is suspended: nothing is written until `nopea resume {repository.key.arguments}`", err=True
        )
    return 0
