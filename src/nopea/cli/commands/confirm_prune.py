"""`nopea confirm-prune`: allow the deletions that the prune guard holds back, at the last commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nopea.cli.cluster import ClusterChoice, cluster_options, run_with_cluster
from nopea.cli.repository_name import RepositoryName

if TYPE_CHECKING:
    from nopea.kube.client import KubeClient

EXIT_NOTHING = 1


@click.command("confirm-prune")
@click.argument("name", type=RepositoryName())
@cluster_options
def command(*, cluster: ClusterChoice, name: str) -> None:
    """Allow GitRepository NAME to delete what the prune guard holds back.

    The confirmation counts for the commit of the last sync only.

    Exit codes: 0 confirmed, 1 the guard holds nothing back, 2 wrong usage, 3 the cluster could not be read or
    changed.
    """

    async def work(client: KubeClient, namespace: str) -> int:
        return await _confirm(client, namespace, name)

    run_with_cluster(cluster, work)


async def _confirm(client: KubeClient, namespace: str, name: str) -> int:
    from nopea.cli.output.messages import print_hint
    from nopea.cli.repository import annotate, read_repository, refuse_deleting
    from nopea.core.api.names import CONFIRM_PRUNE_ANNOTATION
    from nopea.core.git.source import SHORT_COMMIT
    from nopea.core.objects import RepoKey
    from nopea.core.problem import Code
    from nopea.kube.kinds import repository_target

    repository = await read_repository(client, RepoKey(namespace, name))
    refuse_deleting(repository)
    status = repository.status
    held = [error for error in status.errors if error.code == Code.PRUNE_GUARD]
    commit = status.last_attempted_commit or ""
    if not held or not commit:
        click.echo(f"The prune guard of GitRepository {repository.key} holds nothing back.")
        return EXIT_NOTHING
    await annotate(client, repository_target(repository.key), {CONFIRM_PRUNE_ANNOTATION: commit})
    click.echo(f"Confirmed for GitRepository {repository.key} at {commit[:SHORT_COMMIT]}: {held[0].message}")
    if repository.suspended:
        print_hint(f"The GitRepository is suspended: see `nopea resume {repository.key.arguments}`.")
    return 0
