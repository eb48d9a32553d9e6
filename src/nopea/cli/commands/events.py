"""`nopea events`: what happened, from the status and the Kubernetes Events, as one list. Reads only."""

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
from nopea.cli.duration import Duration
from nopea.cli.repository_name import RepositoryName

if TYPE_CHECKING:
    from nopea.core.status.timeline import TimelineEntry
    from nopea.kube.client import KubeClient

MOST = 1000


@click.command("events")
@click.argument("name", required=False, type=RepositoryName())
@all_namespaces_option
@click.option("--since", "seconds", type=Duration(), metavar="TIME", help="Only the last TIME, such as 2h.")
@click.option(
    "--limit",
    type=click.IntRange(1, MOST),
    default=100,
    help=f"How many entries to show, the newest; at most {MOST}.  [default: 100]",
)
@output_option
@cluster_options
def command(
    *,
    cluster: ClusterChoice,
    name: str | None,
    everywhere: bool,
    seconds: float | None,
    limit: int,
    output: str,
) -> None:
    """Show what happened to GitRepository NAME, or to all of a namespace: the newest comes last.

    It joins the Events, which Kubernetes keeps for an hour, with what the status remembers for longer: the
    last syncs and commits, and which changes in the cluster were reverted or left.

    Exit codes: 0 shown, 2 wrong usage, 3 the cluster could not be read.
    """
    if everywhere and (name is not None or cluster.namespace is not None):
        raise click.UsageError("--all-namespaces takes neither NAME nor --namespace.")

    async def work(client: KubeClient, namespace: str) -> int:
        entries = await _read(client, "" if everywhere else namespace, name)
        return _show(entries, seconds=seconds, limit=limit, output=output, with_names=name is None)

    run_with_cluster(cluster, work)


async def _read(client: KubeClient, namespace: str, name: str | None) -> list[TimelineEntry]:
    from nopea.cli.reported_events import read_events
    from nopea.cli.repository import list_repositories, read_repository
    from nopea.core.objects import RepoKey
    from nopea.core.status.timeline import in_order, of_missing, timeline

    if name is not None:
        repository = await read_repository(client, RepoKey(namespace, name))
        key = repository.key
        return timeline(repository, await read_events(client, key.namespace, name=key.name))
    repositories = await list_repositories(client, namespace, everywhere=not namespace, falls_back=False)
    events = await read_events(client, namespace)
    known = {repository.key for repository in repositories}
    entries = of_missing(event for event in events if event.repository not in known)
    for repository in repositories:
        entries += timeline(repository, events)
    return in_order(entries)


def _show(
    entries: list[TimelineEntry], *, seconds: float | None, limit: int, output: str, with_names: bool
) -> int:
    from datetime import UTC, datetime, timedelta

    from nopea.cli.output.messages import print_hint, print_json, terminal_width
    from nopea.cli.output.timeline import timeline_json, timeline_lines

    now = datetime.now(UTC)
    if seconds is not None:
        earliest = now - timedelta(seconds=seconds)
        entries = [entry for entry in entries if entry.last >= earliest]
    shown = entries[-limit:]
    if output == "json":
        print_json(timeline_json(shown))
        return 0
    if not shown:
        print_hint("Nothing is recorded.")
    elif len(shown) < len(entries):
        more = len(entries) - len(shown)
        what = "1 older entry is" if more == 1 else f"{more} older entries are"
        print_hint(f"{what} not shown; see --limit.")
    for line in timeline_lines(shown, now=now, with_names=with_names, width=terminal_width()):
        click.echo(line)
    return 0
