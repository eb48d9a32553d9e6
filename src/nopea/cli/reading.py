"""What `diff` and `plan` read: a GitRepository at its newest commit, or with a folder in Git's place.

They have a Git port of their own, in a folder that goes with them. Nothing is written to the cluster.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from nopea import tasks
from nopea.cli.folder import read_folder
from nopea.cli.repository import read_repository, read_state
from nopea.core.api.pin import explained
from nopea.core.api.repository import Repository
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.api.status import GitRepositoryStatus
from nopea.core.git.source import Remote
from nopea.core.objects import RepoKey
from nopea.core.problem import Problem, StalledError, SyncError
from nopea.git.port import GitPort
from nopea.git.settings import GitSettings
from nopea.kube.client import KubeClient
from nopea.reconcile.credentials import remote_of
from nopea.reconcile.fetch import Fetcher
from nopea.reconcile.inspect import Inspection, Inspector
from nopea.state.store import RepositoryState, StateStore

NOBODY = "PLAN"
"""The name of a GitRepository that is not there: none can have it, for it is in capitals."""

NOWHERE = "file:///nowhere"
"""A folder's URL: nothing of it is asked, because nothing was applied from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectedRepository:
    """What was read; `commit` is empty for a folder."""

    repository: Repository
    commit: str
    inspection: Inspection


async def read_repository_now(client: KubeClient, namespace: str, name: str) -> InspectedRepository:
    """Inspect a GitRepository at the newest commit of its ref; raises CommandError, SyncError, ApiError."""
    repository = await read_repository(client, RepoKey(namespace, name))
    spec = _spec(repository)
    state = await read_state(client, repository)
    remote = await remote_of(client, repository.key, spec)
    async with temporary_fetcher() as fetcher:
        try:
            snapshot = await fetcher.snapshot(spec, remote)
        except SyncError as error:
            raise StalledError(*(explained(one, repository.pin) for one in error.problems)) from error
        inspection = await Inspector(client, fetcher).inspect(repository, spec, state, remote, snapshot)
    return InspectedRepository(repository=repository, commit=snapshot.commit.id, inspection=inspection)


async def read_folder_as(client: KubeClient, namespace: str, name: str, folder: Path) -> InspectedRepository:
    """Inspect a GitRepository as if the folder were the root of its newest commit; raises as the above."""
    repository = await read_repository(client, RepoKey(namespace, name))
    spec = _spec(repository)
    state = await read_state(client, repository)
    try:
        remote = await remote_of(client, repository.key, spec)
    except SyncError:
        remote = Remote(spec.url)  # only what was applied last is missing then
    snapshot = read_folder(folder, path=spec.path, exclude=spec.exclude)
    async with temporary_fetcher() as fetcher:
        inspection = await Inspector(client, fetcher).inspect(repository, spec, state, remote, snapshot)
    return InspectedRepository(repository=repository, commit="", inspection=inspection)


async def read_folder_alone(client: KubeClient, namespace: str, folder: Path) -> InspectedRepository:
    """Inspect a folder as a new GitRepository in the namespace would apply it; raises as the above."""
    spec = GitRepositorySpec(url=NOWHERE, branch="main")
    status = GitRepositoryStatus()
    repository = Repository(
        key=RepoKey(namespace, NOBODY),
        uid="",
        generation=0,
        resource_version="",
        deleting=False,
        sync_requested_at="",
        spec=spec,
        status=status,
    )
    state = RepositoryState(uid="", status=status, loaded=True)
    snapshot = read_folder(folder)
    async with temporary_fetcher() as fetcher:
        inspector = Inspector(client, fetcher)
        inspection = await inspector.inspect(repository, spec, state, Remote(spec.url), snapshot)
    return InspectedRepository(repository=repository, commit="", inspection=inspection)


def _spec(repository: Repository) -> GitRepositorySpec:
    if isinstance(repository.spec, Problem):
        raise StalledError(repository.spec)
    if repository.pin_problem is not None:
        raise StalledError(repository.pin_problem)
    return repository.spec


@asynccontextmanager
async def temporary_fetcher() -> AsyncIterator[Fetcher]:
    """Give a fetcher whose mirrors and child processes end with the block."""
    with tempfile.TemporaryDirectory(prefix="nopea-", ignore_cleanup_errors=True) as folder:
        git = GitPort(GitSettings(cache_dir=Path(folder), allow_file_urls=True))
        running = tasks.spawn(git.run(), name="git port")
        try:
            await asyncio.sleep(0)  # its folder is made before it is asked
            yield Fetcher(git, StateStore().manifests)
        finally:
            await tasks.end(running)
