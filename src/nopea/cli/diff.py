"""`nopea diff`: what differs between Git and the cluster now, and who changed it. Reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nopea.cli.cluster import EXIT_FAILED, ClusterChoice, answer, cluster_options

if TYPE_CHECKING:
    from nopea.cli.reading import InspectedRepository
    from nopea.kube.client import KubeClient

EXIT_SAME = 0
EXIT_DIFFERENT = 1


@click.command("diff")
@click.argument("name")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="How to print it.")
@cluster_options
def command(*, cluster: ClusterChoice, name: str, output: str) -> None:
    """Show what differs in the objects of GitRepository NAME: last applied → Git → live, by whom, and when.

    Git is asked for the newest commit. Secrets' values are masked.

    Exit codes: 0 nothing differs, 1 something does, 2 wrong usage, 3 something could not be read.
    """

    async def work(client: KubeClient, namespace: str) -> int:
        from nopea.cli.reading import read_repository_now

        return _print(await read_repository_now(client, namespace, name), output)

    answer(cluster, work)


def _print(reading: InspectedRepository, output: str) -> int:
    from nopea.cli.difftext import json_of, lines_of
    from nopea.cli.report import print_json, print_problems

    inspection = reading.inspection
    objects = tuple(one for one in inspection.objects if one.differs)
    if output == "json":
        head = {"repository": str(reading.repository.key), "commit": reading.commit}
        print_json(json_of(inspection, objects, **head))
    else:
        click.echo(
            f"GitRepository {reading.repository.key} at {reading.commit[:12]}: last applied → Git → live"
        )
        for line in lines_of(objects):
            click.echo(line)
        if not objects:
            click.echo("nothing differs")
        if reading.repository.pin is not None:
            click.echo(f"→ it is rolled back: {reading.repository.pin.left} is not followed", err=True)
        if reading.repository.suspended:
            ends = f"`nopea resume {reading.repository.key.arguments}`"
            click.echo(f"→ it is suspended: nothing is written until {ends}", err=True)
    print_problems(inspection)
    if not inspection.is_complete:
        return EXIT_FAILED
    return EXIT_DIFFERENT if inspection.differs else EXIT_SAME
