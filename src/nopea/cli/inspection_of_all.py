"""Inspect many GitRepositories for `nopea diff`: a few at a time, with one temporary folder for all.

What fails for one is its result; the others go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from nopea.cli.inspection import InspectedRepository, Looks, cluster_inputs, inspect_with, temporary_fetcher
from nopea.cli.progress import show_late_progress
from nopea.cli.repository import list_repositories
from nopea.core.api.repository import Repository
from nopea.core.problem import Problem, SyncError
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiError, ForbiddenError
from nopea.kube.problems import to_problem
from nopea.reconcile.inspect import Inspector
from nopea.state.repositories import RepositoryStore

AT_ONCE = 4
"""GitRepositories that are inspected together: each holds its objects in memory until it is printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What an inspection of one GitRepository returned, or the problems that prevented it."""

    repository: Repository
    inspected: InspectedRepository | None = None
    problems: tuple[Problem, ...] = ()


async def chosen_repositories(
    client: KubeClient, namespace: str, *, everywhere: bool
) -> tuple[list[Repository], RepositoryStore | None]:
    """Return the GitRepositories of a namespace or of all, and all of the cluster if they may be listed.

    Raises CommandError, ApiError.
    """
    try:
        every = await list_repositories(client, "", everywhere=True, falls_back=False)
    except ForbiddenError:
        if everywhere:
            raise
        return await list_repositories(client, namespace, everywhere=False), None
    store = RepositoryStore()
    for repository in every:
        store.put(repository)
    return [each for each in every if everywhere or each.key.namespace == namespace], store


async def inspect_all(
    client: KubeClient,
    repositories: Sequence[Repository],
    *,
    known: RepositoryStore | None,
    server: bool,
) -> AsyncIterator[Looked]:
    """Yield the result for each GitRepository, in order; `known` are all of the cluster."""
    async with temporary_fetcher(cluster_inputs(client)) as fetcher:
        inspector = Inspector(client, fetcher, repositories=known)

        async def look(repository: Repository) -> Looked:
            try:
                inspected = await inspect_with(
                    client, fetcher, inspector, repository, looks=Looks(server=server)
                )
            except SyncError as error:
                return Looked(repository=repository, problems=error.problems)
            except ApiError as error:
                return Looked(repository=repository, problems=(to_problem(error, object=error.request),))
            return Looked(repository=repository, inspected=inspected)

        for start in range(0, len(repositories), AT_ONCE):
            batch = repositories[start : start + AT_ONCE]
            done = f"{start} of {len(repositories)} GitRepositories compared."
            with show_late_progress(f"Fetching and planning: {done}"):
                found = await asyncio.gather(*map(look, batch))
            for each in found:
                yield each
