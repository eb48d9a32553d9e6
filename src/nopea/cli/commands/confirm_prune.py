"""`nopea confirm-prune`: allow the deletions that the prune guard holds back, at the last commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nopea.cli.cluster import ClusterChoice, cluster_options, run_with_cluster
from nopea.cli.repository_name import RepositoryName

if TYPE_CHECKING:
    from nopea.core.api.repository import Repository
    from nopea.kube.client import KubeClient

EXIT_NOTHING = 1


@click.command("confirm-prune")
@click.argument("name", type=RepositoryName())
@cluster_options
def command(*, cluster: ClusterChoice, name: str) -> None:
    """Allow GitRepository NAME to delete what the prune guard holds back.

    The confirmation counts for the commit of the last sync only.

    Example: nopea confirm-prune shop

    Exit codes: 0 confirmed, 1 the guard holds nothing back, 2 wrong usage, 3 the cluster could not be read or
    changed.
    """

    async def work(client: KubeClient, namespace: str) -> int:
        return await _confirm(client, namespace, name)

    run_with_cluster(cluster, work)


async def _confirm(client: KubeClient, namespace: str, name: str) -> int:
    from nopea.cli.output.messages import print_hint
    from nopea.cli.repository import read_repository
    from nopea.core.objects import RepoKey

    repository = await read_repository(client, RepoKey(namespace, name))
    said = await confirm_prune(client, repository)
    if not said:
        click.echo(nothing_held(repository))
        return EXIT_NOTHING
    click.echo(said)
    if repository.suspended:
        print_hint(f"The GitRepository is suspended: see `nopea resume {repository.key.arguments}`.")
    return 0


async def confirm_prune(client: KubeClient, repository: Repository) -> str:
    """Allow what the guard holds back; return the sentence that says so, empty if it holds nothing back.

    Raises CommandError, ApiError.
    """
    from nopea.cli.repository import annotate, refuse_deleting
    from nopea.core.api.names import CONFIRM_PRUNE_ANNOTATION
    from nopea.core.git.source import SHORT_COMMIT
    from nopea.core.problem import Code
    from nopea.kube.kinds import repository_target

    refuse_deleting(repository)
    status = repository.status
    held = [error for error in status.errors if error.code == Code.PRUNE_GUARD]
    commit = status.last_attempted_commit or ""
    if not held or not commit:
        return ""
    await annotate(client, repository_target(repository.key), {CONFIRM_PRUNE_ANNOTATION: commit})
    return f"Confirmed for GitRepository {repository.key} at {commit[:SHORT_COMMIT]}: {held[0].message}"


def nothing_held(repository: Repository) -> str:
    """Return the sentence that the guard holds nothing back."""
    return f"The prune guard of GitRepository {repository.key} holds nothing back."
