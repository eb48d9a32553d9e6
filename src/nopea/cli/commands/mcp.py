"""`nopea mcp`: answer the questions of a model about GitRepositories, over the Model Context Protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nopea.cli.cluster import ClusterChoice, CommandError, cluster_options, run_with_cluster

if TYPE_CHECKING:
    from nopea.kube.client import KubeClient


@click.command("mcp")
@click.option(
    "--allow-writes",
    is_flag=True,
    help="Offer sync, suspend and rollback too; without it nothing is changed.",
)
@cluster_options
def command(*, cluster: ClusterChoice, allow_writes: bool) -> None:
    """Serve the Model Context Protocol on standard input and output, until the input ends.

    The tools list, status, why, drift, diff and history read with your kubeconfig and your rights. It needs
    the extra `mcp`: pip install '.[mcp]' in a checkout of Nopea.

    Example: nopea mcp --context staging

    Exit codes: 0 the input has ended, 2 wrong usage, 3 the extra is not installed, or there is no kubeconfig.
    """

    async def work(client: KubeClient, namespace: str) -> int:
        try:
            from nopea.cli.mcp_tools import server_of
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in ("mcp", "mcp_types"):
                raise
            raise CommandError(
                "`nopea mcp` needs the package mcp, which is not installed.",
                "Install the extra mcp: `pip install '.[mcp]'` in a checkout of Nopea.",
            ) from error
        await server_of(client, namespace, allow_writes=allow_writes).run_stdio_async()
        return 0

    run_with_cluster(cluster, work)
