"""`nopea render`: print what would be applied, for a local folder or a GitRepository. Reads only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from nopea.cli.cluster import ClusterChoice, cluster_options, run, run_with_cluster
from nopea.cli.options import path_option

if TYPE_CHECKING:
    from nopea.cli.rendering import RenderedManifests
    from nopea.kube.client import KubeClient

EXIT_RENDERED = 0
EXIT_PROBLEMS = 1


@click.command("render")
@click.argument("what", metavar="[DIR|NAME]", default=".")
@path_option
@click.option(
    "-o",
    "--output",
    type=click.Choice(["yaml", "json", "name"]),
    default="yaml",
    help="Output format.  [default: yaml]",
)
@click.option("--show-secrets", is_flag=True, help="Show the values of Secrets too.")
@cluster_options
def command(*, cluster: ClusterChoice, what: str, path: str | None, output: str, show_secrets: bool) -> None:
    """Print the objects that a folder, or GitRepository NAME at its newest commit, declares.

    DIR is a path that exists or has a slash, by default the current folder; it needs no cluster. Values of
    Secrets are masked.

    Example: nopea render overlays/prod

    Exit codes: 0 all is rendered, 1 there are problems with some objects, 2 wrong usage, 3 nothing could be
    read or rendered.
    """
    if is_folder(what):

        async def folder() -> int:
            from nopea.cli.rendering import render_folder

            rendered = await render_folder(Path(what), path, namespace=cluster.namespace)
            return _print(rendered, output, show_secrets=show_secrets)

        run(folder)
    if path is not None:
        raise click.UsageError("--path is for folders; a GitRepository has spec.path.")

    async def repository(client: KubeClient, namespace: str) -> int:
        from nopea.cli.rendering import render_repository
        from nopea.core.objects import RepoKey

        rendered = await render_repository(client, RepoKey(namespace, what))
        return _print(rendered, output, show_secrets=show_secrets)

    run_with_cluster(cluster, repository)


def is_folder(what: str) -> bool:
    """Return whether the argument is a path and not the name of a GitRepository."""
    return "/" in what or what == "." or Path(what).exists()


def _print(rendered: RenderedManifests, output: str, *, show_secrets: bool) -> int:
    from nopea.cli.output.manifests import print_manifests
    from nopea.cli.output.messages import print_hint, print_problem

    print_manifests(rendered.manifests, output, show_secrets=show_secrets)
    for problem in rendered.problems:
        print_problem(problem)
    for note in rendered.notes:
        print_hint(note)
    return EXIT_PROBLEMS if rendered.problems else EXIT_RENDERED
