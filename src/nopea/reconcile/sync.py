"""The steps of a sync between a snapshot of Git and the report: render, observe, plan, act."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from nopea import tasks
from nopea.core.api.labels import owner_label
from nopea.core.api.repository import Repository
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.api.tenancy import acts_as_controller
from nopea.core.apply.ignore_rules import deployers_of
from nopea.core.duration import parse_duration
from nopea.core.git.source import Remote
from nopea.core.manifests.limits import problem_of_content
from nopea.core.manifests.render import (
    Desired,
    Document,
    Rendering,
    read_documents,
    render,
    resources_of_definitions,
)
from nopea.core.objects import GroupKind, ObjectKey, RepoKey, parse_key
from nopea.core.plan.model import Plan, Policy, Reason, Step
from nopea.core.plan.plan import plan
from nopea.core.plan.prune import PruneReason
from nopea.core.problem import Problem, StalledError, SyncError
from nopea.core.status.report import ObjectResult, Outcome, ReconcileReport, Result
from nopea.reconcile.accounts import client_for, watcher_of
from nopea.reconcile.apply import Applier
from nopea.reconcile.execute import Executor
from nopea.reconcile.execution import Execution
from nopea.reconcile.fetch import Snapshot
from nopea.reconcile.observe import Observer, managers_of
from nopea.reconcile.own_kinds import OwnKinds
from nopea.reconcile.prune import Pruner
from nopea.reconcile.request import ReconcileContext, Supersede
from nopea.reconcile.resources import DocumentKinds, look_up_kinds
from nopea.state.inventory import forget
from nopea.state.store import RepositoryState

ADMISSION_EVERY = timedelta(hours=1)
_GIT_CHANGED = (Reason.GIT_CHANGE, Reason.CONFLICT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A plan with its inputs; `live` are the whole live objects.

    `problems` are those of Git and of rendering: the steps have their own. `gone` has left the cluster.
    """

    plan: Plan
    documents: tuple[Document, ...]
    problems: tuple[Problem, ...]
    live: Mapping[ObjectKey, Mapping[str, Any]]
    gone: frozenset[ObjectKey]


class ClusterSync:
    """One sync's work for one repository at one version."""

    def __init__(
        self,
        context: ReconcileContext,
        repository: Repository,
        spec: GitRepositorySpec,
        state: RepositoryState,
        remote: Remote,
        *,
        keeps_objects: bool = False,
    ) -> None:
        """With `keeps_objects`, a plan holds the live objects that were read, whole."""
        self._context = context
        self._repository = repository
        self._spec = spec
        self._state = state
        self._remote = remote
        self._owner = owner_label(repository.key)
        self._retries_admission = False
        self._commits: dict[str, Mapping[ObjectKey, bytes]] = {}
        self._commits_lock = asyncio.Lock()
        self._client = client_for(context, repository, spec)
        self._watcher = watcher_of(context, repository, spec)
        self._is_controller = acts_as_controller(spec, context.policy)
        self._observer = Observer(
            client=self._client,
            object_cache=context.object_cache,
            watcher=self._watcher,
            discovery=context.discovery,
            owner=self._owner,
            is_released=self._is_released,
            previous=self.manifests_of,
            users=context.users,
            keeps_objects=keeps_objects,
        )

    async def run(self, snapshot: Snapshot, supersede: Supersede, report: ReconcileReport) -> ReconcileReport:
        """Bring the cluster to the snapshot and return the report with what became of it.

        Raises SyncError when the API server does not answer.
        """
        self._retries_admission = self._is_time_for_admission()
        planned = await self.plan(snapshot)
        self.note_refusals(planned.plan.steps)
        execution = await self._executor(planned.documents, snapshot.commit.id).execute(
            planned.plan, supersede
        )
        self._remember(execution, planned.gone)
        await self._watch_new_kinds(planned.plan)
        self._note_heals(execution.results.values())
        problems = [*planned.problems]
        return replace(
            with_execution(report, execution, problems), commit=snapshot.commit, contested=self.contested()
        )

    async def plan(self, snapshot: Snapshot) -> Planned:
        """Render, observe and decide; writes nothing to the cluster. Raises as `run`."""
        documents, problems = await self._documents(snapshot)
        kinds = await look_up_kinds(self._context.discovery, documents)
        desired, more = await self._render(documents, kinds)
        self._state.unknown_kinds = len(kinds.found) < len({(one.api_version, one.kind) for one in documents})
        if snapshot.commit.id:
            self._commits[snapshot.commit.id] = {one.key: one.body for one in desired}
        problems = [*snapshot.problems, *problems, *more]
        clean = not problems
        self._context.ownership.keep(self._repository.key, (one.key for one in desired), complete=clean)
        observation = await self._observer.observe(desired, self._state)
        pruner = Pruner(
            self._context,
            self._repository,
            self._spec,
            self._state,
            client=self._client,
            watcher=self._watcher,
        )
        unanswered = kinds.group_kinds  # their objects may be in Git or not
        prunes = await pruner.steps(
            {one.key for one in desired}
            | {key for key in self._state.applied if key.group_kind in unanswered},
            clean=clean,
            commit=snapshot.commit.id,
        )
        if any(each.reason is PruneReason.UNKNOWN_KIND for each in prunes.decisions.values()):
            self._state.unknown_kinds = True
        steps = plan(
            desired=desired,
            cluster=observation.world(self._state),
            policy=self._policy(),
            now=datetime.now(UTC),
            prunes=prunes.steps,
        )
        return Planned(
            plan=steps,
            documents=tuple(documents),
            problems=tuple(problems),
            live=observation.live,
            gone=prunes.gone,
        )

    async def _watch_new_kinds(self, decided: Plan) -> None:
        """Watch the kinds whose definitions came in this sync."""
        cache = self._context.object_cache
        written = ((step.desired.resource, step.key.namespace) for step in decided.steps if step.desired)
        await cache.ensure((place for place in written if not cache.knows(*place)), self._watcher)

    def _executor(self, documents: Sequence[Document], commit: str) -> Executor:
        defined = {GroupKind(e.group, e.kind) for e in resources_of_definitions(documents).values()}
        return Executor(
            client=self._client,
            object_cache=self._context.object_cache,
            applier=Applier(
                client=self._client,
                object_cache=self._context.object_cache,
                owner=self._owner,
                discovery=self._context.discovery,
                defined_here=frozenset(defined),
                decide=self._decide,
                deployers=deployers_of(self._spec),
            ),
            claim=self.claim,
            unclaim=self._unclaim,
            refuse=OwnKinds(self._client).problem_of if self._is_controller else None,
            resource_for=self._context.discovery.find_preferred,
            commit=commit,
            applied=self._state.applied,
            last_manifest=self.last_manifest,
            timeout_seconds=parse_duration(self._spec.timeout).total_seconds(),
        )

    async def _decide(self, one: Desired, live: Mapping[str, Any] | None) -> Step:
        """Decide about one object that was read just now, with the inputs of the sync's plan."""
        observation = await self._observer.judge(one, live, self._state)
        world = observation.world(self._state)
        (step,) = plan(desired=[one], cluster=world, policy=self._policy(), now=datetime.now(UTC)).steps
        self.note_refusals([step])
        return step

    def _policy(self) -> Policy:
        """Under `manual` and `notify`, a user's request heals."""
        status, repository = self._state.status, self._repository
        heal = repository.heal_requested
        _, _, named = heal.partition(" ")
        is_new = bool(heal) and heal != (status.last_handled_heal_at or "")
        key = parse_key(named) if named and is_new else None
        return Policy(
            owner=self._owner,
            heal=self._spec.heal_policy,
            grace=parse_duration(self._spec.heal_grace_period),
            heal_requested=self._is_sync_requested() or (is_new and not named),
            retries_admission=self._retries_admission,
            heal_objects=frozenset({key} if key else ()),
        )

    def _is_sync_requested(self) -> bool:
        asked = self._repository.sync_requested_at
        return bool(asked) and asked != (self._state.status.last_handled_sync_at or "")

    def _is_time_for_admission(self) -> bool:
        """Return whether to apply what admission changed again; nothing tells when admission has stopped.

        The API server stores nothing while it has not, so an hourly request per object is all that it costs.
        """
        now = datetime.now(UTC)
        is_time = self._is_sync_requested() or now - self._state.admission_tried_at >= ADMISSION_EVERY
        if is_time:
            self._state.admission_tried_at = now
        return is_time

    async def _documents(self, snapshot: Snapshot) -> tuple[list[Document], list[Problem]]:
        too_big = problem_of_content(snapshot.files, max_objects=self._context.policy.max_objects)
        if too_big is not None:
            raise StalledError(too_big)
        size = sum(len(file.documents) for file in snapshot.files.values())
        return await tasks.off_loop(read_documents, snapshot.files, size=size)

    async def _render(
        self, documents: Sequence[Document], kinds: DocumentKinds
    ) -> tuple[list[Desired], list[Problem]]:
        documents, unanswered = kinds.split(documents)
        rendering = Rendering(
            owner=self._owner,
            default_namespace=self._repository.key.namespace,
            target_namespace=self._spec.target_namespace,
            force=self._spec.force,
            ignore=self._spec.ignore_differences,
            hash_key=self._context.object_cache.hash_key(),
        )
        desired, problems = await tasks.off_loop(
            render,
            documents,
            rendering,
            lambda version, kind: kinds.found.get((version, kind)),
            size=len(documents),
        )
        return desired, [*unanswered, *problems]

    async def manifests_of(self, commit: str) -> Mapping[ObjectKey, bytes]:
        """Return what an earlier commit declared; empty if Git no longer has it. Each commit is read once."""
        async with self._commits_lock:
            if commit not in self._commits:
                self._commits[commit] = await self._read_commit(commit) if commit else {}
            return self._commits[commit]

    async def last_manifest(self, key: ObjectKey) -> Mapping[str, Any] | None:
        """Return what was applied last; None where nothing was, or the commit is no longer in Git."""
        last = self._state.applied.get(key)
        if last is None or not last.commit:
            return None
        body = (await self.manifests_of(last.commit)).get(key)
        return orjson.loads(body) if body is not None else None

    async def _read_commit(self, commit: str) -> Mapping[ObjectKey, bytes]:
        try:
            snapshot = await self._context.fetcher.snapshot_at(self._spec, self._remote, commit)
            documents, _ = await self._documents(snapshot)
            kinds = await look_up_kinds(self._context.discovery, documents)
        except SyncError:
            return {}
        desired, _ = await self._render(documents, kinds)
        return {one.key: one.body for one in desired}

    def _is_released(self, key: ObjectKey, owner: str) -> bool:
        """Return whether an object's owner is gone or no longer declares it: then it may be taken over."""
        if not self._context.repositories.may_exist(owner):
            return True
        repository = self._context.repositories.owner(owner)
        return repository is not None and self._context.ownership.has_let_go(key, repository.key)

    def claim(self, key: ObjectKey) -> str:
        """Take an object for the repository; return the owner's name if it is another's, else nothing."""
        owner = self._context.ownership.claim(key, self._repository.key)
        if owner == self._repository.key:
            return ""
        self._wait_for(key, owner_label(owner))
        return str(owner)

    def _unclaim(self, key: ObjectKey) -> None:
        if key not in self._state.applied:
            self._context.ownership.unclaim(key, self._repository.key)

    def _wait_for(self, key: ObjectKey, owner: str | None) -> None:
        """Record that the repository declares another's object; at first, wake the owner to report it."""
        is_new = not self._context.ownership.is_waiting(key, self._repository.key)
        self._context.ownership.wait(key, self._repository.key)
        if is_new and owner:
            self._context.wake(owner)

    def note_refusals(self, steps: Iterable[Step]) -> None:
        """Record which objects belong to another repository, and wake it at first."""
        for step in steps:
            if step.reason is Reason.OWNED_BY_OTHER:
                self._context.ownership.unclaim(step.key, self._repository.key)
                self._wait_for(step.key, step.live.owner if step.live else None)

    def _note_heals(self, results: Collection[ObjectResult]) -> None:
        now = datetime.now(UTC)
        fights = self._state.fights
        for one in results:
            if one.seen is not None and one.healed and one.reason is Reason.MANUAL_DRIFT:
                for manager in managers_of(one.seen.drift):
                    fights = fights.healed(one.key, manager=manager, at=now)
        changed = {  # the change may end the fight
            one.key for one in results if one.reason in _GIT_CHANGED and one.outcome is not Outcome.FAILED
        }
        self._state.fights = fights.forget(now=now, keep=self._state.applied.keys() - changed)

    def contested(self) -> tuple[tuple[ObjectKey, RepoKey], ...]:
        """Return the applied objects that another repository declares too."""
        ownership, ours = self._context.ownership, self._repository.key
        waiting = ((key, ownership.waiting(key, besides=ours)) for key in sorted(self._state.applied))
        return tuple((key, other) for key, other in waiting if other is not None)

    def _remember(self, execution: Execution, gone: Iterable[ObjectKey]) -> None:
        forget(self._state, execution.gone.union(gone))
        self._state.applied |= execution.applied
        self._state.left = {
            key: live.facts if live is not None and live.owner == self._owner else None
            for key, live in execution.left.items()
        }
        self._context.users.applied(execution.applied)
        for key, last in execution.applied.items():
            if last.projection is not None:  # else drift was left in it
                self._state.drifted_since.pop(key, None)
                self._state.as_applied.add(key)


def with_execution(
    report: ReconcileReport, execution: Execution, problems: Iterable[Problem]
) -> ReconcileReport:
    """Return the report with what became of each object; `problems` are those of no single object."""
    objects = tuple(execution.results[key] for key in sorted(execution.results))
    said = [one.problem for one in objects if one.problem is not None]
    if execution.halt is not None:
        said.append(execution.halt)  # perhaps that of an object
    all_problems = [*problems, *dict.fromkeys(said)]  # one problem may be about many objects
    result = Result.FAILED if all_problems else Result.SYNCED
    if execution.superseded:
        result = Result.SUPERSEDED
    return replace(report, result=result, objects=objects, problems=tuple(all_problems))
