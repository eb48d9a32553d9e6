"""`nopea events`: what happened, from the status and the Kubernetes Events, as one list. Reads only."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
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
from nopea.cli.duration import Duration
from nopea.cli.repository_name import RepositoryName

if TYPE_CHECKING:
    from nopea.core.status.timeline import TimelineEntry
    from nopea.kube.client import KubeClient

MOST = 1000
SETTLE_SECONDS = 1.0
"""With --watch: a status and the Events about the same sync come within this time, and become one entry."""


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
@output_formats("table", "wide", "json", "yaml")
@watch_option
@cluster_options
def command(
    *,
    cluster: ClusterChoice,
    name: str | None,
    everywhere: bool,
    seconds: float | None,
    limit: int,
    output: str,
    follow: bool,
) -> None:
    """Show what happened to GitRepository NAME, or to all of a namespace: the newest comes last.

    It joins the Events, which Kubernetes keeps for an hour, with what the status remembers for longer: the
    last syncs and commits, and which changes in the cluster were reverted or left.

    Example: nopea events -A --since 2h --watch

    Exit codes: 0 shown, 2 wrong usage, 3 the cluster could not be read.
    """
    if everywhere and name is not None:
        raise click.UsageError("--all-namespaces takes no NAME.")

    async def work(client: KubeClient, namespace: str) -> int:
        where = "" if everywhere else namespace
        show = partial(_show, seconds=seconds, limit=limit, output=output, with_names=name is None)
        if follow:
            return await _follow(client, where, name, show)
        show(await _read(client, where, name))
        return 0

    run_with_cluster(cluster, work)


async def _read(client: KubeClient, namespace: str, name: str | None) -> list[TimelineEntry]:
    from nopea.cli.reported_events import read_events
    from nopea.cli.repository import list_repositories, read_repository
    from nopea.core.objects import RepoKey
    from nopea.core.status.timeline import timeline, timeline_of_all

    if name is not None:
        repository = await read_repository(client, RepoKey(namespace, name))
        key = repository.key
        return timeline(repository, await read_events(client, key.namespace, name=key.name))
    repositories = await list_repositories(client, namespace, everywhere=not namespace, falls_back=False)
    return timeline_of_all(repositories, await read_events(client, namespace))


async def _follow(
    client: KubeClient, namespace: str, name: str | None, show: Callable[[list[TimelineEntry]], None]
) -> int:
    """Show what happened, then each new entry."""
    from nopea.cli.following import following
    from nopea.cli.reported_events import followed_events, parse_event
    from nopea.cli.repository import followed_repositories
    from nopea.core.api.repository import parse_repository
    from nopea.core.api.tenancy import AS_CALLER
    from nopea.core.status.timeline import NewEntries, timeline_of_all

    repositories = await followed_repositories(client, namespace, [name] if name else [])
    where = repositories.selection.namespace
    events = await followed_events(client, where, name=name.rpartition("/")[2] if name else "")
    news = NewEntries()
    followed = [repositories, *([events] if events is not None else [])]
    async with following(client, *followed, quiet_seconds=SETTLE_SECONDS) as changes:
        while True:
            await changes.next()
            found = [
                parse_repository(live.json(), policy=AS_CALLER) for live in repositories.objects.values()
            ]
            lives = events.objects.values() if events is not None else ()
            reported = [parse_event(live.json()) for live in lives]
            known = [each for each in reported if each is not None]
            if new := news.of(timeline_of_all(sorted(found, key=lambda each: each.key), known)):
                show(new)


def _show(
    entries: list[TimelineEntry], *, seconds: float | None, limit: int, output: str, with_names: bool
) -> None:
    from datetime import UTC, datetime, timedelta

    from nopea.cli.output.messages import print_document, print_hint, terminal_width
    from nopea.cli.output.timeline import timeline_json, timeline_lines

    now = datetime.now(UTC)
    if seconds is not None:
        earliest = now - timedelta(seconds=seconds)
        entries = [entry for entry in entries if entry.last >= earliest]
    shown = entries[-limit:]
    if output in ("json", "yaml"):
        print_document(timeline_json(shown), output)
        return
    if not shown:
        print_hint("Nothing is recorded.")
    elif len(shown) < len(entries):
        more = len(entries) - len(shown)
        what = "1 older entry is" if more == 1 else f"{more} older entries are"
        print_hint(f"{what} not shown; see --limit.")
    width = terminal_width() if output == "table" else None
    for line in timeline_lines(shown, now=now, with_names=with_names, width=width):
        click.echo(line)
