"""`nopea diff`: show what differs between Git and the cluster now, and who changed it. Reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nopea.cli.cluster import EXIT_FAILED, ClusterChoice, cluster_options, run_with_cluster

if TYPE_CHECKING:
    from nopea.cli.inspection import InspectedRepository
    from nopea.kube.client import KubeClient

EXIT_SAME = 0
EXIT_DIFFERENT = 1


@click.command("diff")
@click.argument("name")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    help="Output format.  [default: text]",
)
@cluster_options
def command(*, cluster: ClusterChoice, name: str, output: str) -> None:
    """Show the fields of GitRepository NAME that differ: last applied → Git → live, by whom, and when.

    Compares the newest commit in Git with the cluster. Values of Secrets are masked.

    Exit codes: 0 nothing differs, 1 something differs, 2 wrong usage, 3 something could not be read.
    """

    async def work(client: KubeClient, namespace: str) -> int:
        from nopea.cli.inspection import inspect_repository

        return _print(await inspect_repository(client, namespace, name), output)

    run_with_cluster(cluster, work)


def _print(inspected: InspectedRepository, output: str) -> int:
    from nopea.cli.output.diff import inspection_json, object_lines, print_other_problems
    from nopea.cli.output.messages import print_hint, print_json

    inspection, repository = inspected.inspection, inspected.repository
    objects = tuple(
        object_diff for object_diff in inspection.objects if object_diff.differs or object_diff.fields
    )
    if output == "json":
        head = {"repository": str(repository.key), "commit": inspected.commit}
        print_json(inspection_json(inspection, objects, **head))
    else:
        click.echo(f"GitRepository {repository.key} at {inspected.commit[:12]}: last applied → Git → live")
        for line in object_lines(objects):
            click.echo(line)
        if not objects:
            click.echo("Nothing differs.")
        if repository.pin is not None:
            ends = f"`nopea rollback {repository.key.arguments} --resume`"
            print_hint(
                f"The GitRepository is rolled back: {repository.pin.left} is not followed until {ends}."
            )
        if repository.suspended:
            ends = f"`nopea resume {repository.key.arguments}`"
            print_hint(f"The GitRepository is suspended: nothing is written until {ends}.")
    print_other_problems(inspection)
    if not inspection.is_complete:
        return EXIT_FAILED
    return EXIT_DIFFERENT if inspection.differs else EXIT_SAME
