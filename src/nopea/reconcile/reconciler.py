"""One sync over a repository: fetch → render → observe → plan → act → report.

Compares all objects, whatever the trigger; the trigger decides only whether Git is asked first. Every outcome
except a bug is a report, and every report is published.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from nopea import log_events, tasks
from nopea.core.api.labels import owner_label
from nopea.core.api.pin import explained
from nopea.core.api.repository import Repository, ref_of
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.api.tenancy import violations
from nopea.core.git.source import Commit, Remote, revision_of
from nopea.core.manifests.inputs import refers_to_cluster
from nopea.core.objects import ObjectKey
from nopea.core.plan.dependencies import blockers, cycle_problem, find_cycle
from nopea.core.plan.inventory import namespaces_of, unrecorded
from nopea.core.plan.model import ObservedObject
from nopea.core.plan.plan import is_suspect
from nopea.core.problem import Problem, StalledError, SyncError, TransientError
from nopea.core.status.report import ReconcileReport, Result
from nopea.core.status.rollback import has_moved
from nopea.core.trigger import WITHOUT_GIT, Trigger
from nopea.ids import new_ulid
from nopea.logs import Log
from nopea.reconcile.credentials import have_changed, remote_of
from nopea.reconcile.fetch import Snapshot
from nopea.reconcile.finalize import Finalizer
from nopea.reconcile.health import HealthFollower
from nopea.reconcile.publish import Publisher
from nopea.reconcile.read_only import ReadOnlySync
from nopea.reconcile.request import ReconcileContext, ReconcileRequest, Supersede
from nopea.reconcile.sync import ClusterSync
from nopea.state.inventory import InventoryStore
from nopea.state.inventory_key import InventoryKey
from nopea.state.store import RepositoryState, StateStore

log = Log(__name__)

FINALIZE_SECONDS = 5.0
"""How long a sync that releases a repository may take once its worker is cancelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services(ReconcileContext):
    """What syncs share: clients and the process's memory."""

    publisher: Publisher
    store: StateStore
    inventory_key: InventoryKey | None = None
    """The key of the hashes that the object cache makes; None: there is none."""


class Reconciler:
    """Runs syncs; one at a time per repository, any number at once."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._inventory = InventoryStore(services.client, services.inventory_key)
        self._finalizer = Finalizer(services, self._inventory)
        self._health = HealthFollower(services)

    async def has_new_commit(self, repository: Repository) -> bool:
        """Ask Git only: False when the commit that was synced without a problem is still the newest."""
        spec = repository.spec
        state = self._services.store.states.get(repository.key)
        if isinstance(spec, Problem) or state is None or not state.complete or state.remote is None:
            return True
        if refers_to_cluster(spec) or state.follows_remotes:
            return True  # what it refers to may have changed without a commit
        try:
            newest = await self._services.fetcher.newest(spec, state.remote)
        except SyncError:
            return True  # a whole sync fails in the same way and reports it
        return state.commit is None or newest != state.commit.id

    async def has_new_secrets(self, repository: Repository) -> bool:
        """Ask for the Secrets only: True when one is not as the last sync read it."""
        state = self._services.store.states.get(repository.key)
        if state is None:
            return True
        return await have_changed(self._services.client, repository.key, state.secret_versions)

    def has_changed(self, repository: Repository) -> bool:
        """Ask the watches only: True when an object is not as the last sync left it."""
        services = self._services
        state = services.store.states.get(repository.key)
        if state is None or not state.loaded:
            return True
        object_cache = services.object_cache
        owned = object_cache.owned(owner_label(repository.key))
        target = None if isinstance(repository.spec, Problem) else repository.spec.target_namespace
        namespaces = namespaces_of(repository.key, target, state.applied)
        if unrecorded(owned, state.applied, namespaces=namespaces):
            return True
        ownership = services.ownership
        wanted = ((key, ownership.waiting(key, besides=repository.key)) for key in state.applied)
        if any(other is not None and (key, other) not in state.contested for key, other in wanted):
            return True
        return any(
            _has_moved(key, owned.get(key), state) for key in state.applied if object_cache.covers(key)
        )

    async def follow_health(self, repository: Repository) -> bool:
        """Publish the objects' health; True when it must be checked again without an event."""
        state = self._services.store.states.get(repository.key)
        if state is None or not state.loaded or repository.deleting:
            return False
        health = await self._health.look(repository, state)
        written = await self._services.publisher.health(repository, state, health)
        return not written or (health is not None and not health.is_settled)

    async def run(self, request: ReconcileRequest) -> ReconcileReport:
        """Run one whole sync and publish its report."""
        if not request.repository.deleting:
            return await self._run(request)
        # Without our finalizer the watch says that the repository is gone, and its worker is cancelled, often
        # before the answer to our own write is here: what was deleted must be reported all the same.
        name = f"end of {request.repository.key}"
        return await tasks.finish(self._run(request), seconds=FINALIZE_SECONDS, name=name)

    async def _run(self, request: ReconcileRequest) -> ReconcileReport:
        repository, services = request.repository, self._services
        state = services.store.state(repository.key, uid=repository.uid, status=repository.status)
        started = asyncio.get_running_loop().time()
        report = ReconcileReport(
            id=new_ulid(),
            generation=repository.generation,
            triggers=_triggers(request),
            started_at=datetime.now(UTC),
            handled_sync_at=repository.sync_requested_at,
            handled_heal_at=repository.heal_requested,
            pin=repository.pin,
            without_git=self._is_local(request, state),
            read_only=services.policy.read_only,
        )
        async with services.publisher.progress(repository, state, plans=report.read_only):
            report = await self._outcome(request, state, report)
            inventory = state.status.inventory
            try:
                if self._keeps_inventory(state, report):
                    inventory = await self._inventory.save(repository, state)
            except SyncError as error:
                report = replace(report, result=Result.FAILED, problems=(*report.problems, *error.problems))
        state.complete = report.result in (Result.SYNCED, Result.PLANNED)
        report = replace(
            report,
            seconds=asyncio.get_running_loop().time() - started,
            inventory=inventory,
            health=await self._health.look(repository, state) if state.loaded else None,
            rivals=state.fights.describe(datetime.now(UTC)),
            unwatched=self._unwatched(repository, state),
        )
        if not await services.publisher.publish(request, state, report):
            state.complete = False
            return replace(report, result=Result.FAILED, is_published=False)  # the worker retries soon
        if self._keeps_inventory(state, report):
            await self._trim(repository, state)
        return report

    def _keeps_inventory(self, state: RepositoryState, report: ReconcileReport) -> bool:
        return state.loaded and not report.read_only and report.result is not Result.DELETED

    async def _trim(self, repository: Repository, state: RepositoryState) -> None:
        try:
            await self._inventory.trim(repository, state)
        except SyncError as error:  # nothing is lost by what is too much; the next sync tries again
            log.write(log_events.inventories_not_trimmed, repo=repository.key, error=str(error))

    async def _outcome(
        self, request: ReconcileRequest, state: RepositoryState, report: ReconcileReport
    ) -> ReconcileReport:
        try:
            if request.repository.deleting:
                return await self._finalizer.run(request.repository, state, report)
            return await self._work(request, state, report)
        except SyncError as error:
            problems = tuple(explained(problem, request.repository.pin) for problem in error.problems)
            return replace(report, result=Result.FAILED, problems=problems)

    async def _work(
        self, request: ReconcileRequest, state: RepositoryState, report: ReconcileReport
    ) -> ReconcileReport:
        repository = request.repository
        spec = repository.spec
        if isinstance(spec, Problem):
            raise StalledError(spec)
        if spec.suspend:
            return replace(report, result=Result.SUSPENDED)
        if repository.pin_problem is not None:
            raise StalledError(repository.pin_problem)
        if refused := violations(repository.key, spec, self._services.policy):
            raise StalledError(*refused)
        await self._inventory.load(repository, state)
        waits_for = self._blockers(repository, spec)
        if report.read_only:
            waits_for = ()  # nothing is applied here that could be too early
        if waits_for and not self._is_applied(repository, state):
            raise TransientError(*waits_for)
        remote = await self._remote(request, spec, state)
        snapshot = await self._snapshot(request, spec, state, remote, waits_for)
        state.commit, state.synced_version = snapshot.commit, repository.version
        state.has_links = snapshot.has_links
        state.bases, state.follows_remotes = snapshot.bases, snapshot.follows_remotes
        report = replace(
            report,
            revision=revision_of(ref_of(spec), snapshot.commit),
            notes=snapshot.notes,
            chart=snapshot.chart,
            without_git=report.without_git or bool(waits_for),
        )
        if report.read_only:
            sync = ClusterSync(self._services, repository, spec, state, remote, keeps_objects=True)
            return await ReadOnlySync(self._services, repository, spec, state, sync).run(snapshot, report)
        await self._finalizer.hold(repository)
        supersede = Supersede(
            request.pending,
            lambda: self._services.fetcher.newest(spec, remote),
            commit=snapshot.commit.id,
        )
        sync = ClusterSync(self._services, repository, spec, state, remote)
        return await sync.run(snapshot, supersede, report)

    def _blockers(self, repository: Repository, spec: GitRepositorySpec) -> tuple[Problem, ...]:
        """Return what it waits for by `dependsOn`; raise SyncError for a cycle."""
        if not spec.depends_on:
            return ()
        repositories = self._services.repositories
        cycle = find_cycle(repository.key, repositories.dependencies())
        if cycle:
            raise StalledError(cycle_problem(cycle))
        return blockers(repository.key, spec, repositories.dependency)

    async def _remote(
        self, request: ReconcileRequest, spec: GitRepositorySpec, state: RepositoryState
    ) -> Remote:
        if self._is_local(request, state) and state.remote is not None:
            return state.remote
        services, state.secret_versions = self._services, {}
        state.remote = await remote_of(
            services.client, request.repository.key, spec, services.policy, versions=state.secret_versions
        )
        return state.remote

    async def _snapshot(
        self,
        request: ReconcileRequest,
        spec: GitRepositorySpec,
        state: RepositoryState,
        remote: Remote,
        waits_for: Sequence[Problem],
    ) -> Snapshot:
        """Read Git. While it fails, or the repository waits, use the last commit and report why.

        So drift in it is still reverted, also while something that its rendering needs is missing.
        """
        fetcher = self._services.fetcher
        problems = waits_for
        known = _known_commit(request.repository, state)
        if known is None or not (problems or self._is_local(request, state)):
            try:
                return await fetcher.snapshot(spec, remote, chart=state.status.chart)
            except SyncError as error:
                if known is None:
                    raise
                problems = error.problems
        chart = state.status.chart
        try:
            snapshot = await fetcher.snapshot_at(spec, remote, known, chart=chart)
        except SyncError as error:
            try:
                snapshot = await fetcher.snapshot_at(spec, remote, known, chart=chart, or_last=True)
            except SyncError:
                if problems:
                    raise TransientError(*problems) from error
                raise error from None
            problems = tuple(dict.fromkeys((*problems, *error.problems)))
        return replace(snapshot, problems=(*problems, *snapshot.problems), has_links=True)

    def _is_local(self, request: ReconcileRequest, state: RepositoryState) -> bool:
        """Whether the triggers can be handled with the commit that was synced last."""
        is_known = isinstance(_known_commit(request.repository, state), Commit)
        return state.complete and is_known and request.triggers <= WITHOUT_GIT

    def _is_applied(self, repository: Repository, state: RepositoryState) -> bool:
        """Whether the known commit was applied in full, so that only drift in it is left to revert."""
        known = _known_commit(repository, state)
        id_ = known.id if isinstance(known, Commit) else known
        return id_ is not None and id_ == state.status.last_applied_commit

    def _unwatched(self, repository: Repository, state: RepositoryState) -> dict[str, str]:
        """Return where applied objects cannot be watched, as a rule names it, and why."""
        cache, tenant = self._services.object_cache, repository.key.namespace
        named = {
            f"{resource.full_plural} in {namespace}" if namespace else resource.full_plural: why
            for (resource, namespace), why in cache.refused(state.applied, tenant=tenant).items()
        }
        return dict(sorted(named.items()))


def _known_commit(repository: Repository, state: RepositoryState) -> Commit | str | None:
    """Return the last commit that was read for the repository's spec as it is now; None if there is none.

    After a restart that is the id of the last commit in the status, if this spec applied it in full: going
    back from a newer one that failed would take away what it has changed.
    """
    if state.commit is not None:
        return state.commit if state.synced_version == repository.version else None
    status = state.status
    is_current = status.observed_generation == repository.generation
    is_newest = status.last_attempted_commit == status.last_applied_commit
    if not is_current or not is_newest or has_moved(status.conditions, repository.pin):
        return None
    return status.last_applied_commit


def _has_moved(key: ObjectKey, live: ObservedObject | None, state: RepositoryState) -> bool:
    """Return whether an object differs from what the last run left; drift that it left does not count."""
    if key in state.left:
        return (live.facts if live is not None else None) != state.left[key]
    last = state.applied[key]
    has_ended = live is not None and live.finish is not None and last.finished is None
    return has_ended or is_suspect(live, last)


def _triggers(request: ReconcileRequest) -> tuple[str, ...]:
    """The triggers of the sync; with a pinned commit always a rollback, so that the history shows it."""
    pinned = {Trigger.ROLLBACK} if request.repository.pin else set[Trigger]()
    return tuple(sorted(request.triggers | pinned))
