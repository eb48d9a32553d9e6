"""Inspect for `diff` and `plan`: a GitRepository at its newest commit, or a folder in place of the commit.

Git mirrors are kept in a temporary folder. Nothing is written to the cluster.
"""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from nopea import tasks
from nopea.cli.folder import UNNAMED, locate, read_folder
from nopea.cli.progress import show_late_progress
from nopea.cli.repository import read_repository, read_state
from nopea.core.api.pin import explained
from nopea.core.api.repository import Repository, ref_of
from nopea.core.api.spec import GitReference, GitRepositorySpec
from nopea.core.api.status import GitRepositoryStatus
from nopea.core.api.tenancy import AS_CALLER
from nopea.core.decryption.endpoints import endpoints_of
from nopea.core.git.merge import Merge
from nopea.core.git.proxy import proxy_variables
from nopea.core.git.source import RefKind, Remote
from nopea.core.objects import RepoKey
from nopea.core.plan.inspection import Inspection
from nopea.core.problem import Code, Problem, StalledError, SyncError
from nopea.core.show.words import count
from nopea.downloads.port import Downloads
from nopea.git.port import GitPort
from nopea.git.settings import GitSettings
from nopea.keys.port import KeyServices
from nopea.kube.client import KubeClient
from nopea.kube.discovery import Discovery
from nopea.reconcile.comparison import Tell, told_nobody
from nopea.reconcile.credentials import remote_of
from nopea.reconcile.fetch import Fetcher, Snapshot
from nopea.reconcile.inputs import ClusterInputs
from nopea.reconcile.inspect import Inspector
from nopea.reconcile.remotes import Remotes
from nopea.reconcile.renderings import Cluster, NoCluster, Renderings
from nopea.render.port import RenderPort
from nopea.render.process import RenderSettings
from nopea.render.program import find_program
from nopea.state.store import RepositoryState, StateStore

NO_REPOSITORY = "PLAN"
"""The name used where there is no GitRepository: capitals are invalid, so that none can have it."""

NO_URL = "file:///nowhere"
"""The URL used for a folder; it is never fetched, because nothing was applied from it."""

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectedRepository:
    """The result of an inspection; `commit` is empty for a folder, and the branch's own for a merge."""

    repository: Repository
    commit: str
    inspection: Inspection
    merge: Merge | None = None

    @property
    def where(self) -> str:
        """What was inspected, for a title; empty for a folder."""
        if self.merge is not None:
            return f"GitRepository {self.repository.key}: {self.merge}"
        return f"GitRepository {self.repository.key} at {self.commit[:12]}" if self.commit else ""

    @property
    def head(self) -> dict[str, str]:
        """The same for a document; `mergedInto` is the commit of the base."""
        if not self.commit:
            return {}
        merged = {"mergedInto": self.merge.onto} if self.merge is not None and self.merge.commit else {}
        return {"repository": str(self.repository.key), "commit": self.commit, **merged}


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """How a plan is inspected: with `server`, the API server is asked what it says to each write."""

    server: bool = True
    tell: Tell = told_nobody


DEFAULT_LOOKS = Looks()


@contextmanager
def looking(*, server: bool) -> Iterator[Looks]:
    """Yield how to look at a plan; on a terminal, a look that takes long shows how far it is."""
    with show_late_progress("Fetching and planning.") as progress:

        def tell(done: int, of: int) -> None:
            progress.show(f"{done} of {count(of, 'object')} compared.")

        yield Looks(server=server, tell=tell)


async def inspect_repository(
    client: KubeClient, namespace: str, name: str, *, ref: str | None = None, looks: Looks = DEFAULT_LOOKS
) -> InspectedRepository:
    """Inspect a GitRepository at the newest commit of its ref, or with `ref` as in `fetched_at`.

    Raises CommandError, SyncError, ApiError.
    """
    repository = await read_repository(client, RepoKey(namespace, name))
    async with temporary_fetcher(cluster_inputs(client)) as fetcher:
        inspector = Inspector(client, fetcher)
        return await inspect_with(client, fetcher, inspector, repository, ref=ref, looks=looks)


async def inspect_with(
    client: KubeClient,
    fetcher: Fetcher,
    inspector: Inspector,
    repository: Repository,
    *,
    ref: str | None = None,
    looks: Looks = DEFAULT_LOOKS,
) -> InspectedRepository:
    """Inspect a GitRepository that was read; raises SyncError, ApiError."""
    spec = valid_spec(repository)
    state = await read_state(client, repository)
    remote = await remote_of(client, repository.key, spec, AS_CALLER)
    merge = None
    if ref is None:
        snapshot = await fetched(fetcher, repository, spec, remote)
    else:
        spec, snapshot, merge = await fetched_at(fetcher, spec, remote, ref)
    inspection = await inspector.inspect(
        repository, spec, state, remote, snapshot, server=looks.server, tell=looks.tell
    )
    commit = merge.head if merge is not None else snapshot.commit.id
    return InspectedRepository(repository=repository, commit=commit, inspection=inspection, merge=merge)


async def inspect_folder_as(
    client: KubeClient, namespace: str, name: str, folder: Path, *, looks: Looks = DEFAULT_LOOKS
) -> InspectedRepository:
    """Inspect a GitRepository as if the folder were the root of its newest commit; raises the same."""
    repository = await read_repository(client, RepoKey(namespace, name))
    spec = valid_spec(repository)
    state = await read_state(client, repository)
    try:
        remote = await remote_of(client, repository.key, spec, AS_CALLER)
    except SyncError:
        remote = Remote(spec.url)  # then only the last applied values are missing
    async with temporary_fetcher(cluster_inputs(client)) as fetcher:
        snapshot = await read_folder(folder, spec, fetcher.renderings, owner=repository.key)
        inspector = Inspector(client, fetcher)
        inspection = await inspector.inspect(
            repository, spec, state, remote, snapshot, server=looks.server, tell=looks.tell
        )
    return InspectedRepository(repository=repository, commit="", inspection=inspection)


async def inspect_folder(
    client: KubeClient,
    namespace: str,
    folder: Path,
    path: str | None = None,
    *,
    looks: Looks = DEFAULT_LOOKS,
) -> InspectedRepository:
    """Inspect a folder as if a new GitRepository in the namespace applied it; raises the same.

    `path` is as in `locate`.
    """
    root, path = locate(folder, path)
    spec = GitRepositorySpec(url=NO_URL, path=path)
    status = GitRepositoryStatus()
    repository = Repository(
        key=RepoKey(namespace, NO_REPOSITORY),
        uid="",
        generation=0,
        resource_version="",
        deleting=False,
        sync_requested_at="",
        spec=spec,
        status=status,
    )
    state = RepositoryState(uid="", status=status, loaded=True)
    async with temporary_fetcher(cluster_inputs(client)) as fetcher:
        owner = RepoKey(namespace, UNNAMED.name)
        snapshot = await read_folder(root, spec, fetcher.renderings, owner=owner)
        inspector = Inspector(client, fetcher)
        inspection = await inspector.inspect(
            repository, spec, state, Remote(spec.url), snapshot, server=looks.server, tell=looks.tell
        )
    return InspectedRepository(repository=repository, commit="", inspection=inspection)


async def fetched(
    fetcher: Fetcher, repository: Repository, spec: GitRepositorySpec, remote: Remote
) -> Snapshot:
    """Return the newest commit of the repository, or the one that it is rolled back to. Raises SyncError."""
    try:
        return await fetcher.snapshot(spec, remote, chart=repository.status.chart)
    except SyncError as error:
        raise StalledError(*(explained(problem, repository.pin) for problem in error.problems)) from error


async def fetched_at(
    fetcher: Fetcher, spec: GitRepositorySpec, remote: Remote, ref: str
) -> tuple[GitRepositorySpec, Snapshot, Merge | None]:
    """Return the spec with another ref, and its newest commit. Raises SyncError.

    The ref is a full id of a commit, a full name of a ref, or a branch, or else a tag. If the spec follows a
    branch, a branch is merged into it, as a pull request would be.
    """
    missing: SyncError | None = None
    for reference in references(ref):
        other = msgspec.structs.replace(spec, ref=reference)
        try:
            merge = await _merge(fetcher, spec, remote, reference.branch) if reference.branch else None
            if merge is not None:
                return spec, await fetcher.snapshot_at(spec, remote, merge.planned, fresh=True), merge
            return other, await fetcher.snapshot(other, remote), None
        except SyncError as error:
            if not _is_missing(error):
                raise
            missing = missing or error
    assert missing is not None  # noqa: S101 - there is always a reference
    hint = (
        f"--ref {ref} is neither a branch nor a tag there. Give the full id of a commit, or push the branch."
    )
    raise StalledError(*(replace(problem, hint=hint) for problem in missing.problems)) from missing


async def _merge(fetcher: Fetcher, spec: GitRepositorySpec, remote: Remote, branch: str) -> Merge | None:
    """Return the merge of a branch; None if the spec follows no other one, or a branch does not exist."""
    base = ref_of(spec)
    if base.kind not in (RefKind.BRANCH, RefKind.HEAD):
        return None
    try:
        merge = await fetcher.merge(spec, remote, branch, base)
    except SyncError as error:
        if not _is_missing(error):
            raise
        return None
    return None if merge.head == merge.onto else merge


def _is_missing(error: SyncError) -> bool:
    return all(problem.code is Code.GIT_REF_NOT_FOUND for problem in error.problems)


def references(ref: str) -> list[GitReference]:
    """Return what the value of --ref may mean, in the order in which it is tried."""
    if _COMMIT.fullmatch(ref.lower()):
        return [GitReference(commit=ref.lower())]
    if ref.startswith("refs/"):
        return [GitReference(name=ref)]
    return [GitReference(branch=ref), GitReference(tag=ref)]


def cluster_inputs(client: KubeClient) -> ClusterInputs:
    """Return what renderings get from the cluster, read with the user's own rights."""
    return ClusterInputs(client, Discovery(client), AS_CALLER)


def valid_spec(repository: Repository) -> GitRepositorySpec:
    """Return the spec. Raises StalledError for one that is invalid, or for an invalid rollback."""
    if isinstance(repository.spec, Problem):
        raise StalledError(repository.spec)
    if repository.pin_problem is not None:
        raise StalledError(repository.pin_problem)
    return repository.spec


@asynccontextmanager
async def temporary_fetcher(cluster: Cluster | None = None) -> AsyncIterator[Fetcher]:
    """Yield a fetcher whose mirrors and child processes are removed when the block ends.

    Without a cluster, nothing that a spec refers to is read.
    """
    with tempfile.TemporaryDirectory(prefix="nopea-", ignore_cleanup_errors=True) as folder:
        git = GitPort(GitSettings(cache_dir=Path(folder), allow_file_urls=True))
        git_task = tasks.spawn(git.run(), name="git port")
        program = find_program(os.environ, cache_dir=Path(folder))
        renderer = RenderPort(RenderSettings(cache_dir=Path(folder) / "render", program=program))
        render_task = tasks.spawn(renderer.run(), name="rendering port")
        try:
            await asyncio.sleep(0)  # lets the port create its folder first
            store = StateStore()
            downloads = Downloads(
                renderer.index, networks=AS_CALLER.git_networks, proxies=proxy_variables(os.environ)
            )
            keys = KeyServices(
                AS_CALLER, proxies=proxy_variables(os.environ), endpoints=endpoints_of(os.environ)
            )
            async with downloads, keys:
                remotes = Remotes(git, downloads, AS_CALLER)
                renderings = Renderings(renderer, store.renderings, cluster or NoCluster(), remotes, keys)
                yield Fetcher(git, store.manifests, renderings)
        finally:
            await tasks.end(git_task, render_task)
