"""`nopea diff`: show what a sync would change now, and whose changes it would revert. Reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nopea.cli.cluster import ClusterChoice, cluster_options, output_formats, run_with_cluster
from nopea.cli.options import server_option
from nopea.cli.repository_name import RepositoryName

if TYPE_CHECKING:
    from nopea.cli.inspection import InspectedRepository
    from nopea.kube.client import KubeClient

EXIT_SAME = 0
EXIT_DIFFERENT = 1
EXIT_REFUSED = 2


@click.command("diff")
@click.argument("name", type=RepositoryName())
@server_option
@output_formats("text", "json", "yaml", "name", "markdown")
@cluster_options
def command(*, cluster: ClusterChoice, name: str, server: bool, output: str) -> None:
    """Show what a sync of GitRepository NAME would change in the cluster, and whose changes it would revert.

    Compares the newest commit in Git with the cluster. What a sync would leave is listed with its reason.
    Each write is tried on the API server (dry run), with your rights. Values of Secrets are masked.

    Example: nopea diff shop -n team-shop

    Exit codes: 0 nothing differs, 1 something differs, 2 something is refused or cannot be compared (also
    wrong usage), 3 nothing could be compared.
    """

    async def work(client: KubeClient, namespace: str) -> int:
        from nopea.cli.inspection import inspect_repository, looking

        with looking(server=server) as looks:
            inspected = await inspect_repository(client, namespace, name, looks=looks)
        return _print(inspected, output)

    run_with_cluster(cluster, work)


def _print(inspected: InspectedRepository, output: str) -> int:
    from nopea.cli.output.diff import object_lines, print_other_problems
    from nopea.cli.output.diff_json import inspection_json
    from nopea.cli.output.messages import print_document, print_hint
    from nopea.core.show.facts import rights_notes, summary
    from nopea.core.show.markdown import markdown

    inspection, repository = inspected.inspection, inspected.repository
    objects = tuple(each for each in inspection.objects if each.differs or each.fields or each.would_change)
    if output == "markdown":
        click.echo(markdown(inspection, title=inspected.where), nl=False)
    elif output == "name":
        for each in objects:
            click.echo(str(each.step.key))
    elif output != "text":
        head = {"repository": str(repository.key), "commit": inspected.commit}
        print_document(inspection_json(inspection, objects, **head), output)
    else:
        click.echo(inspected.where)
        for line in object_lines(objects):
            click.echo(line)
        for note in rights_notes(objects):
            click.echo(note)
        click.echo(summary(objects) if objects else "Nothing differs.")
        if repository.pin is not None:
            ends = f"`nopea rollback {repository.key.arguments} --resume`"
            print_hint(
                f"The GitRepository is rolled back: {repository.pin.left} is not followed until {ends}."
            )
        if repository.suspended:
            ends = f"`nopea resume {repository.key.arguments}`"
            print_hint(f"The GitRepository is suspended: nothing is written until {ends}.")
    print_other_problems(inspection)
    if inspection.is_refused:
        return EXIT_REFUSED
    return EXIT_DIFFERENT if inspection.differs or inspection.would_change else EXIT_SAME
