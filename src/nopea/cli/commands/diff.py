"""`nopea diff`: show what a sync would change now, and whose changes it would revert. Reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from nopea.cli.cluster import (
    EXIT_FAILED,
    ClusterChoice,
    all_namespaces_option,
    cluster_options,
    output_formats,
    run_with_cluster,
)
from nopea.cli.options import server_option
from nopea.cli.repository_name import RepositoryName

if TYPE_CHECKING:
    from nopea.cli.inspection import InspectedRepository
    from nopea.cli.inspection_of_all import Looked
    from nopea.core.plan.object_diff import ObjectDiff
    from nopea.kube.client import KubeClient

EXIT_SAME = 0
EXIT_DIFFERENT = 1
EXIT_REFUSED = 2


@click.command("diff")
@click.argument("name", type=RepositoryName(), required=False)
@all_namespaces_option
@server_option
@output_formats("text", "json", "yaml", "name", "markdown")
@cluster_options
def command(*, cluster: ClusterChoice, name: str | None, everywhere: bool, server: bool, output: str) -> None:
    """Show what a sync of GitRepository NAME would change in the cluster, and whose changes it would revert.

    Compares the newest commit in Git with the cluster. What a sync would leave is listed with its reason.
    Each write is tried on the API server (dry run), with your rights. Values of Secrets are masked. Without
    NAME it compares each GitRepository of the namespace and shows those that differ.

    Example: nopea diff shop -n team-shop

    Exit codes: 0 nothing differs, 1 something differs, 2 something is refused or cannot be compared (also
    wrong usage), 3 nothing could be compared. Without NAME the worst of them.
    """
    if everywhere and name is not None:
        raise click.UsageError("--all-namespaces takes no NAME.")
    if name is None and output == "markdown":
        raise click.UsageError("--output markdown needs a NAME.")

    async def work(client: KubeClient, namespace: str) -> int:
        if name is None:
            return await _show_all(client, namespace, output, everywhere=everywhere, server=server)
        from nopea.cli.inspection import inspect_repository, looking

        with looking(server=server) as looks:
            inspected = await inspect_repository(client, namespace, name, looks=looks)
        return _print(inspected, output)

    run_with_cluster(cluster, work)


async def _show_all(
    client: KubeClient, namespace: str, output: str, *, everywhere: bool, server: bool
) -> int:
    """Show each GitRepository that differs, as soon as it is compared; return the worst exit code."""
    from nopea.cli.inspection_of_all import chosen_repositories, inspect_all

    repositories, known = await chosen_repositories(client, namespace, everywhere=everywhere)
    codes: list[int] = []
    documents: list[dict[str, Any]] = []
    async for looked in inspect_all(client, repositories, known=known, server=server):
        codes.append(_code(looked.inspected))
        if output in ("json", "yaml"):
            documents.append(_document(looked))
        elif looked.inspected is None:
            _print_failure(looked)
        elif codes[-1] != EXIT_SAME:
            _print(looked.inspected, output)
            if output == "text":
                click.echo()
    if output in ("json", "yaml"):
        from nopea.cli.output.messages import print_document

        print_document({"repositories": documents}, output)
    elif output == "text":
        where = "the cluster" if everywhere else f"namespace {namespace}"
        click.echo(_total(codes, where))
    return max(codes, default=EXIT_SAME)


def _print_failure(looked: Looked) -> None:
    from nopea.cli.cluster import without_retry
    from nopea.cli.output.messages import print_problem

    click.echo(f"GitRepository {looked.repository.key} could not be compared:", err=True)
    for problem in looked.problems:
        print_problem(problem, hint=without_retry(problem.hint))


def _total(codes: list[int], where: str) -> str:
    """Return how many there are, and how many of them differ or failed."""
    if not codes:
        return f"There are no GitRepositories in {where}."
    same, failed = codes.count(EXIT_SAME), codes.count(EXIT_FAILED)
    differing = len(codes) - same - failed
    parts = [(differing, "differ" if differing != 1 else "differs"), (failed, "could not be compared")]
    told = ", ".join(f"{number} {words}" for number, words in parts if number) or "nothing differs"
    return f"{len(codes)} {'GitRepository' if len(codes) == 1 else 'GitRepositories'} in {where}: {told}."


def _document(looked: Looked) -> dict[str, Any]:
    """Return the document of one GitRepository; one that could not be compared has problems only."""
    from nopea.cli.output.diff_json import inspection_json, problem_json

    inspected = looked.inspected
    if inspected is None:
        return {
            "repository": str(looked.repository.key),
            "commit": None,
            "differs": None,
            "objects": [],
            "problems": [problem_json(each) for each in looked.problems],
        }
    head = {"repository": str(inspected.repository.key), "commit": inspected.commit}
    return inspection_json(inspected.inspection, _shown(inspected), **head)


def _shown(inspected: InspectedRepository) -> tuple[ObjectDiff, ...]:
    """Return the objects of which something is to be said."""
    objects = inspected.inspection.objects
    return tuple(each for each in objects if each.differs or each.fields or each.would_change)


def _code(inspected: InspectedRepository | None) -> int:
    """Return the exit code; None is what could not be compared."""
    if inspected is None:
        return EXIT_FAILED
    inspection = inspected.inspection
    if inspection.is_refused:
        return EXIT_REFUSED
    return EXIT_DIFFERENT if inspection.differs or inspection.would_change else EXIT_SAME


def _print(inspected: InspectedRepository, output: str) -> int:
    """Print one inspection and return its exit code."""
    from nopea.cli.inspection_of_all import Looked
    from nopea.cli.output.diff import object_lines, print_held, print_other_problems
    from nopea.cli.output.messages import print_document
    from nopea.core.show.facts import rights_notes, summary
    from nopea.core.show.held import held_notes
    from nopea.core.show.markdown import markdown

    inspection, repository = inspected.inspection, inspected.repository
    objects = _shown(inspected)
    if output == "markdown":
        click.echo(markdown(inspection, title=inspected.where, notes=tuple(held_notes(repository))), nl=False)
    elif output == "name":
        for each in objects:
            click.echo(str(each.step.key))
    elif output != "text":
        print_document(_document(Looked(repository=repository, inspected=inspected)), output)
    else:
        click.echo(inspected.where)
        for line in object_lines(objects):
            click.echo(line)
        for note in rights_notes(objects):
            click.echo(note)
        click.echo(summary(objects) if objects else "Nothing differs.")
    print_held(repository)
    print_other_problems(inspection)
    return _code(inspected)
