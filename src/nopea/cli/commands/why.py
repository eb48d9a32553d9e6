"""`nopea why`: what is wrong with a GitRepository, and what to do. Reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nopea.cli.cluster import (
    ClusterChoice,
    all_namespaces_option,
    cluster_options,
    output_option,
    run_with_cluster,
)
from nopea.cli.repository_name import RepositoryName

if TYPE_CHECKING:
    from nopea.kube.client import KubeClient


@click.command("why")
@click.argument("name", required=False, type=RepositoryName())
@all_namespaces_option
@output_option
@cluster_options
def command(*, cluster: ClusterChoice, name: str | None, everywhere: bool, output: str) -> None:
    """Show what is wrong with GitRepository NAME, worst first, and what to do about it.

    This covers errors, unhealthy objects, drift that was not reverted and who caused it, what it waits for,
    and a suspension or a rollback, all as the controller saw it last. Without NAME it shows this of each
    GitRepository of the namespace that needs somebody.

    Example: nopea why shop -n team-shop

    Exit codes: 0 nothing needs you, 1 something does, 2 wrong usage, 3 the cluster could not be read.
    """
    if everywhere and name is not None:
        raise click.UsageError("--all-namespaces takes no NAME.")

    async def work(client: KubeClient, namespace: str) -> int:
        if name is None:
            return await _show_all(client, namespace, output, everywhere=everywhere)
        return await _show(client, namespace, name, output)

    run_with_cluster(cluster, work)


async def _show(client: KubeClient, namespace: str, name: str, output: str) -> int:
    from datetime import UTC, datetime

    from nopea.cli.heartbeat import liveness
    from nopea.cli.output.concerns import status_json, why_json, why_lines
    from nopea.cli.output.messages import print_document, terminal_width
    from nopea.cli.repository import read_repository
    from nopea.core.objects import RepoKey
    from nopea.core.status.concerns import concerns_of

    repository = await read_repository(client, RepoKey(namespace, name))
    now = datetime.now(UTC)
    concerns = concerns_of(repository, now=now)
    controller = await liveness(client, repository.key.namespace)
    if output != "text":
        told = status_json([], controller=controller)["controller"]
        print_document({**why_json(repository, concerns), "controller": told}, output)
    else:
        width = terminal_width()
        for line in why_lines(repository, concerns, controller=controller, now=now, width=width):
            click.echo(line)
    return int(any(each.kind.needs_somebody for each in concerns) or controller.running is False)


async def _show_all(client: KubeClient, namespace: str, output: str, *, everywhere: bool) -> int:
    """Show the same of each that needs somebody, worst first."""
    from datetime import UTC, datetime

    from nopea.cli.heartbeat import liveness
    from nopea.cli.output.concerns import controller_lines, needing_somebody, status_json, why_lines
    from nopea.cli.output.messages import print_document, terminal_width
    from nopea.cli.repository import list_repositories
    from nopea.core.status.concerns import concerns_of

    found = await list_repositories(client, namespace, everywhere=everywhere, falls_back=False)
    now = datetime.now(UTC)
    needy = needing_somebody([(repository, concerns_of(repository, now=now)) for repository in found])
    controller = await liveness(client, namespace)
    if output != "text":
        print_document(status_json(needy, controller=controller), output)
    else:
        width = terminal_width()
        for line in controller_lines(controller, width=width):
            click.echo(line)
        for repository, concerns in needy:
            click.echo()
            for line in why_lines(repository, concerns, now=now, width=width):
                click.echo(line)
        where = "the cluster" if everywhere else f"namespace {namespace}"
        if not found:
            click.echo(f"There are no GitRepositories in {where}.")
        elif not needy:
            is_old = " when the controller looked last" if controller.running is False else ""
            click.echo(f"No GitRepository in {where} needs somebody{is_old}.")
    return int(bool(needy) or controller.running is False)
