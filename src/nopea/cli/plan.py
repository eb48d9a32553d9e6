"""`nopea plan`: what applying a folder would do, decided by the code that the controller runs. Reads only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from nopea.cli.cluster import EXIT_FAILED, ClusterChoice, answer, cluster_options

if TYPE_CHECKING:
    from nopea.cli.reading import InspectedRepository
    from nopea.core.plan.object_diff import ObjectDiff
    from nopea.kube.client import KubeClient

EXIT_PLANNED = 0
EXIT_REFUSED = 1


@click.command("plan")
@click.option(
    "-f",
    "--folder",
    required=True,
    type=click.Path(path_type=Path, exists=True),
    help="Folder of manifests, or one file; with --for the root of a working copy.",
)
@click.option("--for", "name", help="Plan as this GitRepository: with its spec, and what it has applied.")
@click.option("--all", "everything", is_flag=True, help="Show unchanged objects too.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="How to print it.")
@cluster_options
def command(*, cluster: ClusterChoice, folder: Path, name: str | None, everything: bool, output: str) -> None:
    """Show what applying a folder would do to each object, why, and which fields would change.

    Needs no GitRepository and nothing of Nopea in the cluster. Objects without a namespace go to --namespace.

    Exit codes: 0 it can be applied, 1 some objects are refused, 2 wrong usage, 3 something cannot be read.
    """

    async def work(client: KubeClient, namespace: str) -> int:
        from nopea.cli.reading import read_folder_alone, read_folder_as

        if name is None:
            return _print(await read_folder_alone(client, namespace, folder), output, everything=everything)
        return _print(await read_folder_as(client, namespace, name, folder), output, everything=everything)

    answer(cluster, work)


def _print(reading: InspectedRepository, output: str, *, everything: bool) -> int:
    from nopea.cli.difftext import json_of, lines_of, summary_of
    from nopea.cli.report import print_json, print_problems

    inspection = reading.inspection
    shown = tuple(one for one in inspection.objects if everything or not _is_unchanged(one))
    if output == "json":
        print_json(json_of(inspection, shown))
    else:
        for line in lines_of(shown):
            click.echo(line)
        click.echo(summary_of(inspection.objects))
    print_problems(inspection)
    if not inspection.is_complete:
        return EXIT_FAILED
    return EXIT_REFUSED if inspection.problems else EXIT_PLANNED


def _is_unchanged(one: ObjectDiff) -> bool:
    from nopea.core.plan.model import Action, Reason

    return one.step.action is Action.LEAVE and one.step.reason in (Reason.UNCHANGED, Reason.IGNORED)
