"""`nopea plan`: show what applying a folder would do, decided by the controller's own code. Reads only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from nopea.cli.cluster import EXIT_FAILED, ClusterChoice, cluster_options, run_with_cluster
from nopea.cli.options import path_option

if TYPE_CHECKING:
    from nopea.cli.inspection import InspectedRepository
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
    help="Folder of manifests, or one file. With --for: the root of a working copy.",
)
@click.option(
    "--for",
    "name",
    metavar="NAME",
    help="Plan as this GitRepository: with its spec and the objects it has applied.",
)
@path_option
@click.option("--all", "with_unchanged", is_flag=True, help="Show unchanged objects too.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    help="Output format.  [default: text]",
)
@cluster_options
def command(
    *,
    cluster: ClusterChoice,
    folder: Path,
    name: str | None,
    path: str | None,
    with_unchanged: bool,
    output: str,
) -> None:
    """Show what applying a folder would do to each object, why, and which fields would change.

    The cluster needs neither a GitRepository nor Nopea. Objects without a namespace go to --namespace.
    A folder with a kustomization or a chart is rendered.

    Exit codes: 0 it can be applied, 1 some objects are refused, 2 wrong usage, 3 something could not be read.
    """
    if name is not None and path is not None:
        raise click.UsageError("--for takes the path from the spec of the GitRepository; omit --path.")

    async def work(client: KubeClient, namespace: str) -> int:
        from nopea.cli.inspection import inspect_folder, inspect_folder_as

        if name is None:
            inspected = await inspect_folder(client, namespace, folder, path)
        else:
            inspected = await inspect_folder_as(client, namespace, name, folder)
        return _print(inspected, output, with_unchanged=with_unchanged)

    run_with_cluster(cluster, work)


def _print(inspected: InspectedRepository, output: str, *, with_unchanged: bool) -> int:
    from nopea.cli.output.diff import inspection_json, object_lines, print_other_problems, summary
    from nopea.cli.output.messages import print_json

    inspection = inspected.inspection
    objects = tuple(
        object_diff for object_diff in inspection.objects if with_unchanged or not _is_unchanged(object_diff)
    )
    if output == "json":
        print_json(inspection_json(inspection, objects))
    else:
        for line in object_lines(objects):
            click.echo(line)
        click.echo(summary(inspection.objects))
    print_other_problems(inspection)
    if not inspection.is_complete:
        return EXIT_FAILED
    return EXIT_REFUSED if inspection.problems else EXIT_PLANNED


def _is_unchanged(object_diff: ObjectDiff) -> bool:
    from nopea.core.plan.model import Action, Reason

    step = object_diff.step
    return step.action is Action.LEAVE and step.reason in (Reason.UNCHANGED, Reason.IGNORED)
