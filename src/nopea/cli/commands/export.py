"""`nopea export`: GitRepositories as manifests for another cluster, or for Git. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from nopea.cli.cluster import (
    ClusterChoice,
    all_namespaces_option,
    cluster_options,
    output_formats,
    run_with_cluster,
)
from nopea.cli.repository_name import RepositoryName

if TYPE_CHECKING:
    from nopea.kube.client import KubeClient


@click.command("export")
@click.argument("names", metavar="[NAME]...", nargs=-1, type=RepositoryName())
@all_namespaces_option
@click.option(
    "--secrets",
    "with_needs",
    is_flag=True,
    help="Add comments with the Secrets, ConfigMaps and accounts that it needs: names, never values.",
)
@output_formats("yaml", "json", "name")
@cluster_options
def command(
    *, cluster: ClusterChoice, names: tuple[str, ...], everywhere: bool, with_needs: bool, output: str
) -> None:
    """Print the GitRepositories of a namespace as manifests; with NAME, only those that are named.

    They have what another cluster needs: no status, and nothing that belongs to this cluster. Secrets are not
    part of them: --secrets says which ones to copy.

    Example: nopea export -A --secrets > repositories.yaml

    Exit codes: 0 printed, 1 there are none, 2 wrong usage, 3 the cluster could not be read, or a name does
    not exist.
    """
    if everywhere and names:
        raise click.UsageError("--all-namespaces takes no NAME.")
    if with_needs and output != "yaml":
        raise click.UsageError("--secrets needs -o yaml: other formats have no comments.")

    async def work(client: KubeClient, namespace: str) -> int:
        raws = await _read(client, "" if everywhere else namespace, names)
        _print(raws, output, with_needs=with_needs)
        return 0 if raws else 1

    run_with_cluster(cluster, work)


async def _read(client: KubeClient, namespace: str, names: Sequence[str]) -> list[dict[str, Any]]:
    from nopea.cli.output.messages import print_hint
    from nopea.cli.repository import list_raw_repositories, read_raw_repository
    from nopea.core.objects import RepoKey

    if names:
        return [await read_raw_repository(client, RepoKey(namespace, name)) for name in names]
    raws = await list_raw_repositories(client, namespace)
    if not raws:
        print_hint(
            f"There are no GitRepositories in {f'namespace {namespace}' if namespace else 'the cluster'}."
        )
    return raws


def _print(raws: Sequence[dict[str, Any]], output: str, *, with_needs: bool) -> None:
    from nopea.cli.output.export import exported, needs
    from nopea.cli.output.manifests import commented_yaml
    from nopea.cli.output.messages import print_json

    if output == "name":
        for raw in raws:
            click.echo(f"{raw['metadata']['namespace']}/{raw['metadata']['name']}")
    elif output == "json":
        print_json({"apiVersion": "v1", "kind": "List", "items": [exported(raw) for raw in raws]})
    else:
        for raw in raws:
            comments = [f"Needs: {each}" for each in needs(raw)] if with_needs else []
            click.echo(commented_yaml(exported(raw), comments), nl=False)
