"""`nopea status`: whether everything is all right, in one screen. Reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nopea.cli.cluster import ClusterChoice, all_namespaces_option, cluster_options, run_with_cluster

if TYPE_CHECKING:
    from nopea.kube.client import KubeClient


@click.command("status")
@all_namespaces_option
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json", "yaml", "name"]),
    default="text",
    help="Output format.  [default: text]",
)
@cluster_options
def command(*, cluster: ClusterChoice, everywhere: bool, output: str) -> None:
    """Show whether all GitRepositories are all right, and those that need somebody, worst first.

    By default it looks in all namespaces, or in the current one if you may not list all. With -A that is an
    error instead; -n selects one namespace.

    Exit codes: 0 nothing needs you, 1 something does, 2 wrong usage, 3 the cluster could not be read.
    """
    if everywhere and cluster.namespace is not None:
        raise click.UsageError("--all-namespaces and --namespace exclude each other.")

    async def work(client: KubeClient, namespace: str) -> int:
        scope = "all" if everywhere else "default" if cluster.namespace is None else "one"
        return await _show(client, namespace, scope=scope, output=output)

    run_with_cluster(cluster, work)


async def _show(client: KubeClient, namespace: str, *, scope: str, output: str) -> int:
    from datetime import UTC, datetime

    from nopea.cli.heartbeat import liveness
    from nopea.cli.output.concerns import needing_somebody, status_json, status_lines
    from nopea.cli.output.messages import print_document, terminal_width
    from nopea.cli.repository import list_repositories
    from nopea.core.status.concerns import concerns_of

    found = await list_repositories(
        client, namespace, everywhere=scope != "one", falls_back=scope == "default"
    )
    concerns = [(repository, concerns_of(repository)) for repository in found]
    controller = await liveness(client, namespace)
    needy = needing_somebody(concerns)
    if output == "name":
        for repository, _ in needy:
            click.echo(str(repository.key))
    elif output == "text":
        lines = status_lines(concerns, controller=controller, now=datetime.now(UTC), width=terminal_width())
        for line in lines:
            click.echo(line)
    else:
        print_document(status_json(concerns, controller=controller), output)
    return int(bool(needy) or controller.running is False)
