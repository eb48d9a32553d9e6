"""`nopea migrate`: print GitRepositories for what Flux and Argo CD apply. Reads only."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nopea.cli.cluster import ClusterChoice, cluster_options, run, run_with_cluster

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nopea.core.migrate.migrate import ForeignObject
    from nopea.core.problem import Problem
    from nopea.kube.client import KubeClient

EXIT_MAPPED = 0
EXIT_NOT_MAPPED = 1


@click.command("migrate")
@click.option(
    "-f",
    "--filename",
    "--folder",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path, exists=True, allow_dash=True),
    help="Folder of manifests, one file, or - for standard input.  [default: the cluster]",
)
@cluster_options
def command(*, cluster: ClusterChoice, folder: Path | None) -> None:
    """Print a GitRepository for each Kustomization and HelmRelease of Flux and each Application of Argo CD.

    Reads all namespaces of the cluster, or the one in --namespace; with --folder the files of a folder.
    Comments before an object say what was not mapped. Nothing is written to the cluster.

    Example: nopea migrate -n team-shop

    Exit codes: 0 all is mapped, 1 something is not, 2 wrong usage, 3 the folder or the cluster could not be
    read.
    """
    if folder is not None:
        where = folder

        async def of_folder() -> int:
            from nopea.cli.migration import find_in_folder, find_in_text

            if where == Path("-"):
                return _print(*find_in_text(sys.stdin.buffer.read()))
            return _print(*find_in_folder(where))

        run(of_folder)

    async def of_cluster(client: KubeClient, namespace: str) -> int:
        from nopea.cli.migration import find_in_cluster

        del namespace  # that of the context; without --namespace, all are read
        return _print(await find_in_cluster(client, cluster.namespace), [])

    run_with_cluster(cluster, of_cluster)


def _print(found: Sequence[ForeignObject], problems: Sequence[Problem]) -> int:
    from nopea.cli.output.manifests import commented_yaml
    from nopea.cli.output.messages import print_error, print_hint, print_problem
    from nopea.core.migrate.migrate import migrate
    from nopea.core.show.words import count

    migrated = migrate(found)
    for each in migrated:
        click.echo(commented_yaml(each.manifest, [f"From: {each.origin}", *each.notes]), nl=False)
    for problem in problems:
        print_problem(problem)
    made = sum(each.manifest is not None for each in migrated)
    rest = [each for each in migrated if each.manifest is None]
    for each in rest:
        print_error(f"{each.origin}: {each.notes[0]}")
    incomplete = sum(not each.is_complete for each in migrated if each.manifest is not None)
    if not migrated:
        print_error("There are no Kustomizations, HelmReleases and Applications.")
        return EXIT_NOT_MAPPED
    click.echo(f"{count(made, 'object')} became a GitRepository, {len(rest)} did not.", err=True)
    if incomplete:
        print_hint(f"Not all fields of {incomplete} of them are mapped: read the comments.")
    return EXIT_NOT_MAPPED if rest or incomplete or problems else EXIT_MAPPED
