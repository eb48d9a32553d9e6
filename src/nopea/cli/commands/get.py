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
    run_with_cluster,
)
from nopea.cli.repository_name import RepositoryName

if TYPE_CHECKING:
    from nopea.kube.client import KubeClient


@click.command("get")
@click.argument("names", metavar="[NAME]...", nargs=-1, type=RepositoryName())
@all_namespaces_option
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "wide", "json", "yaml", "name"]),
    default="table",
    help="Output format.  [default: table]",
)
@cluster_options
def command(*, cluster: ClusterChoice, names: tuple[str, ...], everywhere: bool, output: str) -> None:
    """List the GitRepositories of a namespace, or those with the given names.

    Exit codes: 0 listed, 2 wrong usage, 3 the cluster could not be read, or a name does not exist.
    """
    if everywhere and (names or cluster.namespace is not None):
        raise click.UsageError("--all-namespaces takes neither NAME nor --namespace.")

    async def work(client: KubeClient, namespace: str) -> int:
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


def _print_none(where: str, output: str) -> None:
    from nopea.cli.output.messages import print_hint

    if output in ("json", "yaml"):
        _print([], output, one=False, with_namespace=False)
    else:
        print_hint(f"There are no GitRepositories in {where}.")


def _print(raws: Sequence[dict[str, Any]], output: str, *, one: bool, with_namespace: bool) -> None:
    from datetime import UTC, datetime

    from nopea.cli.output.messages import print_document, terminal_width
    from nopea.cli.output.repositories import table_lines, without_noise

    if output == "name":
        for raw in raws:
            click.echo(f"{raw['metadata']['namespace']}/{raw['metadata']['name']}")
    elif output in ("json", "yaml"):
        items = [without_noise(raw) for raw in raws]
        print_document(items[0] if one else {"apiVersion": "v1", "kind": "List", "items": items}, output)
    else:
        is_wide = output == "wide"
        now, width = datetime.now(UTC), None if is_wide else terminal_width()
        for line in table_lines(raws, now=now, with_namespace=with_namespace, wide=is_wide, width=width):
            click.echo(line)
