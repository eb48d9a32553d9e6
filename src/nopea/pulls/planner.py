"""Plans the merge of a pull request, as a sync of it would go, and with the same rights. Writes nothing.

It shares mirrors and processes with syncs, and has its own cache of renderings: a pull request must not make
a sync render again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from nopea.core.api.repository import Repository
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.duration import parse_duration
from nopea.core.git.merge import Merge
from nopea.core.git.source import Ref, RefKind, Remote
from nopea.core.plan.inspection import Inspection
from nopea.core.problem import Code, Problem, SyncError, TransientError
from nopea.core.pulls.comment import why_not_planned, without_plan
from nopea.core.webhooks.delivery import PullRequest
from nopea.downloads.port import Downloads
from nopea.git.port import GitPort
from nopea.reconcile.data_keys import KeyOpener
from nopea.reconcile.fetch import Fetcher
from nopea.reconcile.inputs import ClusterInputs
from nopea.reconcile.inspect import Inspector
from nopea.reconcile.reconciler import Services
from nopea.reconcile.remotes import Remotes
from nopea.reconcile.renderings import Renderings
from nopea.render.port import RenderPort
from nopea.state.inventory import InventoryStore
from nopea.state.store import RepositoryState, StateStore

TIMEOUT: Final = "1m"
"""The most that one operation for a pull request may take, whatever the spec allows."""


_CACHE_BYTES: Final = 8 * 1024 * 1024
"""Of manifests, and of renderings, that are kept for pull requests."""


class NotThereYetError(Exception):
    """Git does not have the commit, yet or any more: providers announce it before all servers have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedBranch:
    """What a merge of a branch would change; there is none if nothing was fetched."""

    merge: Merge | None
    inspection: Inspection


class PullRequestPlanner:
    """Plans one branch after another; nothing that it learns is kept for syncs."""

    def __init__(self, services: Services, fetcher: Fetcher) -> None:
        self._services = services
        self._fetcher = fetcher
        self._inspector = Inspector(services.client, fetcher, within=services)
        self._inventory = InventoryStore(services.client, services.inventory_key)

    async def plan(
        self,
        repository: Repository,
        spec: GitRepositorySpec,
        pull_request: PullRequest,
        remote: Remote,
        *,
        any_commit: bool,
    ) -> PlannedBranch:
        """Return the plan of the branch in Git, merged into that of the spec, or why there is none.

        Raises NotThereYetError, and TransientError for what may end without a person. With `any_commit`,
        another one than the announced will do.
        """
        if (problem := why_not_planned(repository.key, spec)) is not None:
            return PlannedBranch(merge=None, inspection=without_plan([problem]))
        timeout = min(spec.timeout, TIMEOUT, key=parse_duration)
        spec = msgspec.structs.replace(spec, timeout=timeout)
        merge = None
        try:
            base = Ref(RefKind.BRANCH, pull_request.base)
            merge = await self._fetcher.merge(spec, remote, pull_request.branch, base)
            if merge.head != pull_request.commit and not any_commit:
                raise NotThereYetError(f"the branch is at {merge.head[:12]}")
            snapshot = await self._fetcher.snapshot_at(
                spec, remote, merge.planned, fresh=True, chart=repository.status.chart
            )
            state = await self._state(repository)
            inspection = await self._inspector.inspect(repository, spec, state, remote, snapshot)
        except SyncError as error:
            _raise_what_may_end(error.problems)
            inspection = without_plan(error.problems)
        return PlannedBranch(merge=merge, inspection=inspection)

    async def _state(self, repository: Repository) -> RepositoryState:
        """Return a copy of what is known to be applied."""
        known = self._services.store.states.get(repository.key)
        if known is None or known.uid != repository.uid or not known.loaded:
            state = RepositoryState(uid=repository.uid, status=repository.status)
            await self._inventory.load(repository, state)
            return state
        return RepositoryState(
            uid=known.uid,
            status=known.status,
            applied=dict(known.applied),
            loaded=True,
            drifted_since=dict(known.drifted_since),
            fights=known.fights,
        )


def fetcher_of(
    services: Services, git: GitPort, renderer: RenderPort, downloads: Downloads, keys: KeyOpener
) -> Fetcher:
    """Return a fetcher with its own caches: what a pull request renders must not replace what syncs did."""
    store = StateStore(manifest_bytes=_CACHE_BYTES)
    inputs = ClusterInputs(services.client, services.discovery, services.policy)
    remotes = Remotes(git, downloads, services.policy)
    renderings = Renderings(renderer, store.renderings, inputs, remotes, keys, version=renderer.version)
    return Fetcher(git, store.manifests, renderings)


def _raise_what_may_end(problems: Sequence[Problem]) -> None:
    if all(problem.code is Code.GIT_REF_NOT_FOUND for problem in problems):
        raise NotThereYetError("the branch does not exist")
    if all(problem.code.transient for problem in problems):
        raise TransientError(*problems)
