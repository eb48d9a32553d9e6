"""`nopea rollback`: hold a GitRepository at a commit, or let it follow its spec again.

It annotates the GitRepository; its spec, which Git may keep, and its objects are left to the controller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nopea.cli.cluster import ClusterChoice, answer, cluster_options
from nopea.cli.follow import wait_options

if TYPE_CHECKING:
    from nopea.core.api.repository import Repository
    from nopea.kube.client import KubeClient


@click.command("rollback")
@click.argument("name")
@click.argument("commit", required=False)
@click.option("--resume", is_flag=True, help="Follow the branch, tag or range of the spec again.")
@wait_options
@cluster_options
def command(
    *, cluster: ClusterChoice, name: str, commit: str | None, resume: bool, wait_seconds: float | None
) -> None:
    """Go back to COMMIT, or to the one that was applied before, and stay there until --resume.

    COMMIT is a full id, or the first digits (7 or more) of one that `nopea history NAME` lists.

    Exit codes: 0 done (with --wait: it synced), 1 the pass failed, the time was over, or the repository is
    suspended, 2 wrong usage, 3 no such commit is known, or the cluster could not be asked.
    """
    if resume and commit:
        raise click.UsageError("--resume takes no COMMIT: it returns to what the spec names")

    async def work(client: KubeClient, namespace: str) -> int:
        from nopea.cli.repository import read_repository, refuse_deleting
        from nopea.core.objects import RepoKey

        repository = await read_repository(client, RepoKey(namespace, name))
        refuse_deleting(repository)
        if resume:
            return await _resume(client, repository, wait_seconds)
        return await _pin(client, repository, commit, wait_seconds)

    answer(cluster, work)


async def _pin(
    client: KubeClient, repository: Repository, text: str | None, wait_seconds: float | None
) -> int:
    from nopea.cli.cluster import CommandError
    from nopea.cli.commit_name import NoSuchCommitError, find_commit, previous_commit

    status = repository.status
    try:
        commit = find_commit(text, status) if text is not None else previous_commit(status)
    except NoSuchCommitError as error:
        raise CommandError(f"GitRepository {repository.key}: {error}", error.hint) from error
    left = repository.pin.left if repository.pin else repository.follows or "its spec"
    before = f" (applied now: {status.short_commit})" if status.short_commit else ""
    if repository.rollback_to == commit:
        before = ", as it was already"
    return await _annotate(
        client,
        repository,
        commit,
        f"GitRepository {repository.key} is held at {commit}{before}\n"
        f"→ {left} is not followed until `nopea rollback {repository.key.arguments} --resume`",
        wait_seconds,
    )


async def _resume(client: KubeClient, repository: Repository, wait_seconds: float | None) -> int:
    if repository.pin is None and repository.pin_problem is None:
        click.echo(f"GitRepository {repository.key} is not rolled back: it follows {repository.follows}")
        return 0
    follows = repository.pin.left if repository.pin else repository.follows or "its spec"
    said = f"GitRepository {repository.key} follows {follows} again"
    return await _annotate(client, repository, None, said, wait_seconds)


async def _annotate(
    client: KubeClient, repository: Repository, commit: str | None, said: str, wait_seconds: float | None
) -> int:
    """Set or remove the pin, say so, and follow the pass where that is wanted and can come to an end."""
    from nopea.cli.follow import EXIT_NOT_SYNCED, follow
    from nopea.cli.repository import annotate
    from nopea.cli.requested import PinRequest
    from nopea.core.api.names import ROLLBACK_ANNOTATION
    from nopea.kube.kinds import repository_target

    await annotate(client, repository_target(repository.key), {ROLLBACK_ANNOTATION: commit})
    click.echo(said)
    if repository.suspended:
        click.echo(
            f"→ it is suspended: that is applied after `nopea resume {repository.key.arguments}`", err=True
        )
        return 0 if wait_seconds is None else EXIT_NOT_SYNCED
    if wait_seconds is None:
        return 0
    request = PinRequest(commit or "")
    return await follow(client, repository, request, said="waiting for the controller", seconds=wait_seconds)
