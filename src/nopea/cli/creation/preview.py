"""What a GitRepository would do if it existed: Git is asked, and the API server tries each write."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from nopea.cli.creation.server import SECONDS, temporary_git
from nopea.cli.inspection import DEFAULT_LOOKS, Looks, cluster_inputs, fetched, temporary_fetcher, valid_spec
from nopea.core.api.repository import Repository, ref_of
from nopea.core.drift.mask import plain_line
from nopea.core.git.source import SHORT_COMMIT, Commit, Remote
from nopea.core.plan.inspection import Inspection
from nopea.core.plan.model import Action
from nopea.core.plan.object_diff import ObjectDiff
from nopea.core.problem import Code, SyncError
from nopea.core.show.words import count
from nopea.kube.client import KubeClient
from nopea.reconcile.inspect import Inspector
from nopea.state.store import RepositoryState

KEY_POLL_SECONDS = 3.0
_NOT_ACCEPTED = "The server does not accept the key yet."


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The commit, and what a first sync does with each object."""

    repository: Repository
    commit: Commit
    inspection: Inspection

    @property
    def taken_over(self) -> tuple[ObjectDiff, ...]:
        """The objects that exist and would be managed from Git."""
        return tuple(
            each for each in self.inspection.objects if each.step.action not in (Action.CREATE, Action.REFUSE)
        )

    @property
    def refused(self) -> tuple[ObjectDiff, ...]:
        """The objects that would not be applied."""
        return tuple(each for each in self.inspection.objects if each.step.action is Action.REFUSE)

    def line(self) -> str:
        """Return what was found, in one line."""
        new = sum(each.step.action is Action.CREATE for each in self.inspection.objects)
        where = self.commit.ref.removeprefix("refs/heads/").removeprefix("refs/tags/") or "It"
        path = valid_spec(self.repository).path
        total = count(len(self.inspection.objects), "object")
        message = plain_line(self.commit.message, limit=100)
        return (
            f'{where} is at {self.commit.id[:SHORT_COMMIT]} "{message}": {total}'
            f"{f' in {path}' if path else ''}: {new} new, {len(self.taken_over)} taken over, "
            f"{len(self.refused)} refused (dry run)."
        )


async def preview(
    client: KubeClient, repository: Repository, remote: Remote, *, looks: Looks = DEFAULT_LOOKS
) -> Preview:
    """Fetch, plan, and try each write with the user's rights; raises SyncError, ApiError."""
    spec = valid_spec(repository)
    state = RepositoryState(uid="", status=repository.status, loaded=True)
    async with temporary_fetcher(cluster_inputs(client)) as fetcher:
        snapshot = await fetched(fetcher, repository, spec, remote)
        inspector = Inspector(client, fetcher)
        inspection = await inspector.inspect(
            repository, spec, state, remote, snapshot, server=looks.server, tell=looks.tell
        )
    return Preview(repository=repository, commit=snapshot.commit, inspection=inspection)


async def wait_for_key(
    repository: Repository, remote: Remote, *, seconds: float, show: Callable[[str], None]
) -> str:
    """Wait until the server accepts a new deploy key; return why it has not after the time, else nothing.

    A server that does not answer for a moment is asked again, because the key is not kept. Raises the other
    SyncErrors.
    """
    spec = valid_spec(repository)
    why = _NOT_ACCEPTED
    async with temporary_git() as git:
        try:
            async with asyncio.timeout(seconds):
                while True:
                    try:
                        await git.ls_remote(remote, ref_of(spec), timeout_seconds=SECONDS)
                    except SyncError as error:
                        for problem in error.problems:
                            if problem.code in (Code.GIT_AUTHENTICATION, Code.GIT_NOT_FOUND):
                                why = _NOT_ACCEPTED
                            elif problem.code.transient:
                                why = plain_line(problem.message, limit=500)
                            else:
                                raise
                    else:
                        return ""
                    show(why)
                    await asyncio.sleep(KEY_POLL_SECONDS)
        except TimeoutError:
            return why
