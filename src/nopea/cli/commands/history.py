"""`nopea history`: list the last syncs of a GitRepository, as its status keeps them. Reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nopea.cli.cluster import ClusterChoice, cluster_options, output_formats, run_with_cluster
from nopea.cli.repository_name import RepositoryName

if TYPE_CHECKING:
    from nopea.kube.client import KubeClient


@click.command("history")
@click.argument("name", type=RepositoryName())
@output_formats("table", "wide", "json", "yaml")
@click.option("--revisions", is_flag=True, help="List the last commits instead of the last syncs.")
@cluster_options
def command(*, cluster: ClusterChoice, name: str, output: str, revisions: bool) -> None:
    """List the last 10 syncs of GitRepository NAME that changed something, failed or recovered.

    With --revisions, list the last 10 commits that were applied: author, message, what each changed, and how
    many changes in the cluster were reverted while it was applied.

    Example: nopea history shop --revisions

    Exit codes: 0 listed, 2 wrong usage, 3 the cluster could not be read.
    """

    async def work(client: KubeClient, namespace: str) -> int:
        return await _show(client, namespace, name, output, revisions=revisions)

    run_with_cluster(cluster, work)


async def _show(client: KubeClient, namespace: str, name: str, output: str, *, revisions: bool) -> int:
    from datetime import UTC, datetime

    from nopea.cli.heartbeat import warn_if_dead
    from nopea.cli.output.history import history_json, history_lines
    from nopea.cli.output.messages import print_document, print_hint, terminal_width
    from nopea.cli.output.revisions import revision_lines
    from nopea.cli.repository import read_repository
    from nopea.core.objects import RepoKey

    repository = await read_repository(client, RepoKey(namespace, name))
    if output in ("json", "yaml"):
        print_document(history_json(repository), output)
    else:
        width = terminal_width() if output == "table" else None
        lines = revision_lines if revisions else history_lines
        for line in lines(repository, now=datetime.now(UTC), width=width):
            click.echo(line)
    if repository.pin_problem is not None:
        print_hint(f"{repository.pin_problem.message} {repository.pin_problem.hint}")
    await warn_if_dead(client, repository.key.namespace)
    return 0
