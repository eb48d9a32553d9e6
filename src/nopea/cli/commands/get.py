"""`nopea get`: list GitRepositories, as `kubectl get` does. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from nopea.cli.cluster import (
    EXIT_FAILED,
    ClusterChoice,
    all_namespaces_option,
    cluster_options,
    output_formats,
    run_with_cluster,
    watch_option,
)
from nopea.cli.repository_name import RepositoryName

if TYPE_CHECKING:
    from nopea.kube.client import KubeClient


@click.command("get")
@click.argument("names", metavar="[NAME]...", nargs=-1, type=RepositoryName())
@all_namespaces_option
@output_formats("table", "wide", "json", "yaml", "name")
@watch_option
@cluster_options
def command(
    *, cluster: ClusterChoice, names: tuple[str, ...], everywhere: bool, output: str, follow: bool
) -> None:
    """List the GitRepositories of a namespace; with NAME, only those that are named.

    --watch adds a line for each that changes.

    Example: nopea get -A -o wide

    Exit codes: 0 listed, 2 wrong usage, 3 the cluster could not be read, or a name does not exist.
    """
    if everywhere and names:
        raise click.UsageError("--all-namespaces takes no NAME.")
    if follow and len(names) > 1:
        raise click.UsageError("--watch takes one NAME at most.")

    async def work(client: KubeClient, namespace: str) -> int:
        if follow:
            return await _follow(client, "" if everywhere else namespace, names, output)
        raws, code = await _read(client, namespace, names, everywhere=everywhere)
        if raws:
            one = len(names) == 1
            several = len({raw["metadata"]["namespace"] for raw in raws}) > 1
            _print(raws, output, one=one, with_namespace=everywhere or several)
        elif not names:
            where = "the cluster" if everywhere else f"namespace {namespace}"
            _print_none(where, output)
        return code

    run_with_cluster(cluster, work)


async def _read(
    client: KubeClient, namespace: str, names: Sequence[str], *, everywhere: bool
) -> tuple[list[dict[str, Any]], int]:
    """Return the GitRepositories and the exit code; a name that does not exist is reported."""
    from nopea.cli.cluster import CommandError
    from nopea.cli.output.messages import print_error
    from nopea.cli.repository import list_raw_repositories, read_raw_repository
    from nopea.core.objects import RepoKey

    if not names:
        return await list_raw_repositories(client, "" if everywhere else namespace), 0
    found, code = [], 0
    for name in names:
        try:
            found.append(await read_raw_repository(client, RepoKey(namespace, name)))
        except CommandError as error:
            print_error(error.message, error.hint)
            code = EXIT_FAILED
    return found, code


async def _follow(client: KubeClient, namespace: str, names: Sequence[str], output: str) -> int:
    """Print what is there, then each change."""
    from datetime import UTC, datetime

    from nopea.cli.following import following
    from nopea.cli.output.messages import terminal_width
    from nopea.cli.output.repositories import Table, with_status
    from nopea.cli.repository import followed_repositories

    followed = await followed_repositories(client, namespace, names)
    width = None if output == "wide" else terminal_width()
    table = Table(with_namespace=not namespace, wide=output == "wide", width=width)
    shown: dict[Any, dict[str, Any]] = {}
    async with following(client, followed) as changes:
        while True:
            await changes.next()
            now = {key: live.json() for key, live in followed.objects.items()}
            gone = [with_status(raw, "deleted") for key, raw in shown.items() if key not in now]
            raws = [*gone, *(raw for key, raw in sorted(now.items()) if raw != shown.get(key))]
            shown = now
            if output in ("table", "wide"):
                for line in table.lines(raws, now=datetime.now(UTC)):
                    click.echo(line)
            else:
                for raw in raws:
                    _print([raw], output, one=True, with_namespace=False)


def _print_none(where: str, output: str) -> None:
    from nopea.cli.output.messages import print_hint

    if output in ("json", "yaml"):
        _print([], output, one=False, with_namespace=False)
    else:
        print_hint(f"There are no GitRepositories in {where}.")


def _print(raws: Sequence[dict[str, Any]], output: str, *, one: bool, with_namespace: bool) -> None:
    from datetime import UTC, datetime

    from nopea.cli.output.messages import print_document, terminal_width
    from nopea.cli.output.repositories import Table, without_noise

    if output == "name":
        for raw in raws:
            click.echo(f"{raw['metadata']['namespace']}/{raw['metadata']['name']}")
    elif output in ("json", "yaml"):
        items = [without_noise(raw) for raw in raws]
        print_document(items[0] if one else {"apiVersion": "v1", "kind": "List", "items": items}, output)
    else:
        is_wide = output == "wide"
        table = Table(
            with_namespace=with_namespace, wide=is_wide, width=None if is_wide else terminal_width()
        )
        for line in table.lines(raws, now=datetime.now(UTC)):
            click.echo(line)
