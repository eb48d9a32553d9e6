"""One pass over a repository: fetch → render → observe → plan → act → report.

Looks at the world, never at the trigger. Every way out but a bug is a report, and every report is published.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ulid import ULID

from nopea.core.api.spec import GitRepositorySpec
from nopea.core.ownership import owner_label
from nopea.core.plan import is_suspect
from nopea.core.problem import Problem, StalledError, SyncError
from nopea.core.report import PassReport, Result
from nopea.core.repository import Repository
from nopea.core.source import Remote
from nopea.core.trigger import WITHOUT_GIT
from nopea.sync.cache import Cache, SyncState
from nopea.sync.fetch import Snapshot
from nopea.sync.finalize import Finalizer
from nopea.sync.inventory import InventoryStore
from nopea.sync.publish import Publisher
from nopea.sync.request import PassRequest, Supersede
from nopea.sync.secrets import remote_of
from nopea.sync.work import Findings, Tools, Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Services(Tools):
    """What passes share: clients and the process's memory."""

    publisher: Publisher
    cache: Cache


class Pipeline:
    """Runs passes; one at a time per repository, any number at once."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._inventory = InventoryStore(services.client)
        self._finalizer = Finalizer(services)

    async def has_news(self, repository: Repository) -> bool:
        """Ask Git only: False when the commit that was synced without a problem is still the newest."""
        spec = repository.spec
        state = self._services.cache.states.get(repository.key)
        if isinstance(spec, Problem) or state is None or not state.complete or state.remote is None:
            return True
        try:
            newest = await self._services.fetcher.newest(spec, state.remote)
        except SyncError:
            return True  # a whole pass meets the same and reports it
        return state.commit is None or newest != state.commit.id

    def has_changed(self, repository: Repository) -> bool:
        """Ask the watches only: True when an object is not as the last pass left it."""
        state = self._services.cache.states.get(repository.key)
        if state is None or not state.loaded:
            return True
        index = self._services.index
        owned = index.owned(owner_label(repository.key))
        if any(key not in state.applied and live.projection for key, live in owned.items()):
            return True
        return any(
            is_suspect(owned.get(key), last)
            for key, last in state.applied.items()
            if index.covers(key.group_kind)
        )

    async def run(self, request: PassRequest) -> PassReport:
        """Run one whole pass and publish its report."""
        repository, services = request.repository, self._services
        state = services.cache.state(repository.key, uid=repository.uid, status=repository.status)
        started_at = datetime.now(UTC)
        started = asyncio.get_running_loop().time()
        local = self._is_local(request, state)
        async with services.publisher.progress(repository, state):
            findings = await self._findings(request, state)
            inventory = state.status.inventory
            try:
                if state.loaded and findings.result is not Result.DELETED:
                    inventory = await self._inventory.save(repository, state)
            except SyncError as error:
                findings = replace(
                    findings, result=Result.FAILED, problems=(*findings.problems, *error.problems)
                )
        state.complete = findings.result is Result.SYNCED
        report = PassReport(
            id=str(ULID()),
            generation=repository.generation,
            triggers=tuple(sorted(request.triggers)),
            result=findings.result,
            commit=findings.commit,
            objects=findings.objects,
            problems=findings.problems,
            started_at=started_at,
            seconds=asyncio.get_running_loop().time() - started,
            handled_sync_at=repository.sync_requested_at,
            handled_heal_at=repository.heal_requested,
            inventory=inventory,
            without_git=local,
        )
        if not await services.publisher.publish(request, state, report):
            state.complete = False
            return replace(report, result=Result.FAILED)  # so that the worker comes back to tell it
        return report

    async def _findings(self, request: PassRequest, state: SyncState) -> Findings:
        try:
            if request.repository.deleting:
                await self._inventory.load(request.repository, state)
                return await self._finalizer.run(request.repository, state)
            return await self._work(request, state)
        except SyncError as error:
            return Findings(result=Result.FAILED, commit=None, problems=error.problems)

    async def _work(self, request: PassRequest, state: SyncState) -> Findings:
        repository = request.repository
        spec = repository.spec
        if isinstance(spec, Problem):
            raise StalledError(spec)
        if spec.suspend:
            return Findings(result=Result.SUSPENDED)
        await self._inventory.load(repository, state)
        remote = await self._remote(request, spec, state)
        snapshot = await self._snapshot(request, spec, state, remote)
        state.commit = snapshot.commit
        await self._finalizer.hold(repository)
        supersede = Supersede(
            request.pending,
            lambda: self._services.fetcher.newest(spec, remote),
            commit=snapshot.commit.id,
        )
        return await Work(self._services, repository, spec, state, remote).run(snapshot, supersede)

    async def _remote(self, request: PassRequest, spec: GitRepositorySpec, state: SyncState) -> Remote:
        if self._is_local(request, state) and state.remote is not None:
            return state.remote
        state.remote = await remote_of(self._services.client, request.repository.key, spec)
        return state.remote

    async def _snapshot(
        self, request: PassRequest, spec: GitRepositorySpec, state: SyncState, remote: Remote
    ) -> Snapshot:
        if self._is_local(request, state) and state.commit is not None:
            return await self._services.fetcher.snapshot_at(spec, remote, state.commit)
        return await self._services.fetcher.snapshot(spec, remote)

    def _is_local(self, request: PassRequest, state: SyncState) -> bool:
        """Whether the commit that was synced last answers all that woke us."""
        return state.complete and state.commit is not None and request.triggers <= WITHOUT_GIT
