"""`nopea rollback`: pin a GitRepository to a commit, or let it follow its spec again.

Annotates the GitRepository; leaves its spec, which may itself be in Git, and its objects to the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nopea.cli.cluster import ClusterChoice, cluster_options, run_with_cluster
from nopea.cli.repository_name import RepositoryName
from nopea.cli.wait import Waiting, wait_options

if TYPE_CHECKING:
    from nopea.core.api.repository import Repository
    from nopea.kube.client import KubeClient


@click.command("rollback")
@click.argument("name", type=RepositoryName())
@click.argument("commit", required=False)
@click.option("--resume", is_flag=True, help="Follow the branch, tag or version range of the spec again.")
@wait_options
@cluster_options
def command(
    *, cluster: ClusterChoice, name: str, commit: str | None, resume: bool, waiting: Waiting | None
) -> None:
    """Return GitRepository NAME to COMMIT (default: the one applied before), and stay there until --resume.

    COMMIT is a full id, or the first 7 or more digits of one that `nopea history NAME` lists.

    Example: nopea rollback shop --wait

    Exit codes: 0 done (with --wait: synced and healthy), 1 the sync failed or timed out, an object is
    unhealthy, or the GitRepository is suspended, 2 wrong usage, 3 the commit is unknown, or the cluster could
    not be read or changed.
    """
    if resume and commit:
        raise click.UsageError("--resume takes no COMMIT: it returns to the ref in the spec.")

    async def work(client: KubeClient, namespace: str) -> int:
        from nopea.cli.repository import read_repository, refuse_deleting
        from nopea.core.objects import RepoKey

        repository = await read_repository(client, RepoKey(namespace, name))
        refuse_deleting(repository)
        if resume:
            return await _resume(client, repository, waiting)
        return await _pin(client, repository, commit, waiting)

    run_with_cluster(cluster, work)


async def _pin(
    client: KubeClient, repository: Repository, reference: str | None, waiting: Waiting | None
) -> int:
    from nopea.cli.cluster import CommandError
    from nopea.cli.commit_reference import UnknownCommitError, find_commit, previous_commit
    from nopea.core.git.source import SHORT_COMMIT

    status = repository.status
    try:
        commit = find_commit(reference, status) if reference is not None else previous_commit(status)
    except UnknownCommitError as error:
        raise CommandError(f"GitRepository {repository.key}: {error}", error.hint) from error
    ref = repository.pin.left if repository.pin else repository.follows or "the ref in its spec"
    now = (status.last_applied_commit or "")[:SHORT_COMMIT]
    applied = f" (applied now: {now})" if now else ""
    verb = "is already pinned" if repository.rollback_to == commit else "is pinned"
    return await _annotate(
        client,
        repository,
        commit,
        f"GitRepository {repository.key} {verb} to {commit}{applied}.\n"
        f"→ {ref} is not followed until `nopea rollback {repository.key.arguments} --resume`.",
        waiting,
    )


async def _resume(client: KubeClient, repository: Repository, waiting: Waiting | None) -> int:
    if repository.pin is None and repository.pin_problem is None:
        click.echo(f"GitRepository {repository.key} is not rolled back: it follows {repository.follows}.")
        return 0
    ref = repository.pin.left if repository.pin else repository.follows or "the ref in its spec"
    message = f"GitRepository {repository.key} follows {ref} again."
    return await _annotate(client, repository, None, message, waiting)


async def _annotate(
    client: KubeClient, repository: Repository, commit: str | None, message: str, waiting: Waiting | None
) -> int:
    """Set or remove the pin, print `message`, and wait for the sync if --wait is given and it can happen."""
    from nopea.cli.output.messages import as_called, print_hint
    from nopea.cli.repository import annotate
    from nopea.cli.requests import PinRequest
    from nopea.cli.wait import EXIT_NOT_SYNCED, wait_for
    from nopea.core.api.names import ROLLBACK_ANNOTATION
    from nopea.kube.kinds import repository_target

    await annotate(client, repository_target(repository.key), {ROLLBACK_ANNOTATION: commit})
    click.echo(as_called(message))
    if repository.suspended:
        ends = f"`nopea resume {repository.key.arguments}`"
        print_hint(f"The GitRepository is suspended: this is applied after {ends}.")
        return 0 if waiting is None else EXIT_NOT_SYNCED
    if waiting is None:
        return 0
    request = PinRequest(commit or "")
    return await wait_for(client, repository, request, message="Waiting for the controller.", waiting=waiting)
