"""`nopea plan`: show what a sync would do, decided by the controller's own code. Reads only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from nopea.cli.cluster import ClusterChoice, cluster_options, output_formats, run_with_cluster
from nopea.cli.options import path_option, server_option
from nopea.cli.repository_name import RepositoryName

if TYPE_CHECKING:
    from nopea.cli.inspection import InspectedRepository
    from nopea.kube.client import KubeClient

EXIT_NOTHING_TO_DO = 0
EXIT_CHANGES = 1
EXIT_REFUSED = 2


@click.command("plan")
@click.argument("name", required=False, type=RepositoryName())
@click.option(
    "-f",
    "--filename",
    "--folder",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path, exists=True),
    help="Folder of manifests, or one file. With NAME: the root of a working copy.",
)
@click.option("--for", "for_", metavar="NAME", help="The same as the argument NAME.")
@click.option(
    "--ref",
    metavar="REF",
    help="Branch to plan as a merge of it, or tag, ref or full commit id.  [default: that of the spec]",
)
@path_option
@click.option("--all", "with_unchanged", is_flag=True, help="Show unchanged objects too.")
@server_option
@output_formats("text", "json", "yaml", "name", "markdown")
@cluster_options
def command(
    *,
    cluster: ClusterChoice,
    name: str | None,
    folder: Path | None,
    for_: str | None,
    ref: str | None,
    path: str | None,
    with_unchanged: bool,
    server: bool,
    output: str,
) -> None:
    """Show what a sync would do to each object, why, and what would change in it.

    With NAME it plans a GitRepository at the newest commit, or at another one (--ref), or as if a folder were
    its newest commit (-f). With --ref BRANCH it plans what a merge of the branch would leave. With -f alone,
    the cluster needs neither a GitRepository nor Nopea: objects without a namespace go to --namespace. A
    folder with a kustomization or a chart is rendered.

    Each write is tried on the API server (dry run), with your rights.

    Example: nopea plan shop --ref my-branch

    Exit codes: 0 nothing to do, 1 something would change, 2 something is refused or cannot be planned (also
    wrong usage), 3 nothing could be planned.
    """
    if name is not None and for_ is not None:
        raise click.UsageError("NAME and --for are the same; give one of them.")
    name = name or for_
    if folder is None and name is None:
        raise click.UsageError("Missing option '-f' / '--filename', or the NAME of a GitRepository.")
    if ref is not None and (folder is not None or name is None):
        raise click.UsageError("--ref needs NAME, and no -f: a folder has no other refs.")
    if path is not None and name is not None:
        raise click.UsageError(
            "NAME and --for take the path from the spec of the GitRepository; omit --path."
        )

    async def work(client: KubeClient, namespace: str) -> int:
        from nopea.cli.inspection import inspect_folder, inspect_folder_as, inspect_repository, looking

        with looking(server=server) as looks:
            if folder is None:
                inspected = await inspect_repository(client, namespace, name or "", ref=ref, looks=looks)
            elif name is None:
                inspected = await inspect_folder(client, namespace, folder, path, looks=looks)
            else:
                inspected = await inspect_folder_as(client, namespace, name, folder, looks=looks)
        return _print(inspected, output, with_unchanged=with_unchanged)

    run_with_cluster(cluster, work)


def _print(inspected: InspectedRepository, output: str, *, with_unchanged: bool) -> int:
    from nopea.cli.output.diff import object_lines, print_held, print_other_problems
    from nopea.cli.output.diff_json import inspection_json
    from nopea.cli.output.messages import print_document
    from nopea.core.show.facts import is_unchanged, rights_notes, summary
    from nopea.core.show.held import held_notes
    from nopea.core.show.markdown import markdown

    inspection, where = inspected.inspection, inspected.where
    objects = tuple(each for each in inspection.objects if with_unchanged or not is_unchanged(each))
    if output == "markdown":
        notes = tuple(held_notes(inspected.repository))
        click.echo(markdown(inspection, title=where, notes=notes), nl=False)
    elif output == "name":
        for each in objects:
            click.echo(str(each.step.key))
    elif output != "text":
        document = inspection_json(inspection, objects, **inspected.head)
        print_document(document, output)
    else:
        if where:
            click.echo(where)
        for line in object_lines(objects):
            click.echo(line)
        for note in rights_notes(objects):
            click.echo(note)
        click.echo(summary(inspection.objects))
    print_held(inspected.repository)
    print_other_problems(inspection)
    if inspection.is_refused:
        return EXIT_REFUSED
    return EXIT_CHANGES if inspection.would_change else EXIT_NOTHING_TO_DO
