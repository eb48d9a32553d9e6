"""`nopea status`: whether everything is all right, in one screen. Reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nopea.cli.cluster import (
    ClusterChoice,
    all_namespaces_option,
    cluster_options,
    output_formats,
    run_with_cluster,
    watch_option,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nopea.core.api.repository import Repository
    from nopea.kube.client import KubeClient

HEARTBEAT_SECONDS = 10.0
"""With --watch, how often the controller's Lease is read and the ages are counted again."""


@click.command("status")
@all_namespaces_option
@output_formats("text", "wide", "json", "yaml", "name")
@watch_option
@cluster_options
def command(*, cluster: ClusterChoice, everywhere: bool, output: str, follow: bool) -> None:
    """Show whether all GitRepositories are all right, and those that need somebody, worst first.

    By default it looks in all namespaces, or in the current one if you may not list all. With -A that is an
    error instead; -n selects one namespace. -o wide cuts nothing.

    Example: nopea status --watch

    Exit codes: 0 nothing needs you, 1 something does, 2 wrong usage, 3 the cluster could not be read.
    """

    async def work(client: KubeClient, namespace: str) -> int:
        scope = "all" if everywhere else "default" if cluster.namespace is None else "one"
        if follow:
            return await _follow(client, namespace, scope=scope, output=output)
        return await _read_and_show(client, namespace, scope=scope, output=output)

    run_with_cluster(cluster, work)


async def _read_and_show(client: KubeClient, namespace: str, *, scope: str, output: str) -> int:
    from nopea.cli.repository import list_repositories

    found = await list_repositories(
        client, namespace, everywhere=scope != "one", falls_back=scope == "default"
    )
    return await _show(client, namespace, found, output=output)


async def _follow(client: KubeClient, namespace: str, *, scope: str, output: str) -> int:
    """Show the whole status again whenever it is another one; a terminal shows the newest only."""
    import sys

    from nopea.cli.following import following
    from nopea.cli.repository import followed_repositories, may_list_all
    from nopea.core.api.repository import parse_repository
    from nopea.core.api.tenancy import AS_CALLER

    everywhere = scope == "all" or (scope == "default" and await may_list_all(client, namespace))
    followed = await followed_repositories(client, "" if everywhere else namespace)
    is_terminal = sys.stdout.isatty() and output in ("text", "wide")
    before: list[Repository] | None = None
    async with following(client, followed) as changes:
        while True:
            await changes.next(within_seconds=HEARTBEAT_SECONDS if is_terminal else float("inf"))
            found = [
                parse_repository(live.json(), policy=AS_CALLER)
                for _, live in sorted(followed.objects.items(), key=lambda item: item[0])
            ]
            if is_terminal:
                click.clear()
            elif found == before:
                continue
            before = found
            await _show(client, namespace, found, output=output)


async def _show(client: KubeClient, namespace: str, found: Sequence[Repository], *, output: str) -> int:
    from datetime import UTC, datetime

    from nopea.cli.heartbeat import liveness
    from nopea.cli.output.concerns import needing_somebody, status_json, status_lines
    from nopea.cli.output.messages import print_document, terminal_width
    from nopea.core.status.concerns import concerns_of

    now = datetime.now(UTC)
    concerns = [(repository, concerns_of(repository, now=now)) for repository in found]
    controller = await liveness(client, namespace)
    needy = needing_somebody(concerns)
    if output == "name":
        for repository, _ in needy:
            click.echo(str(repository.key))
    elif output in ("text", "wide"):
        width = terminal_width() if output == "text" else None
        for line in status_lines(concerns, controller=controller, now=now, width=width):
            click.echo(line)
    else:
        print_document(status_json(concerns, controller=controller), output)
    return int(bool(needy) or controller.running is False)
