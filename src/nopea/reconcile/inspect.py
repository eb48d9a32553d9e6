"""A sync that stops before it acts: the same fetch, rendering, observation and plan, and then a comparison.

For `nopea diff` and `nopea plan`. Reads only, with the caller's own rights, and keeps nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import orjson

from nopea import tasks
from nopea.core.api.labels import owner_label
from nopea.core.api.repository import Repository, parse_repository
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.api.tenancy import AS_CALLER
from nopea.core.apply.adoption import NOBODY
from nopea.core.apply.ignore_rules import ManagerPatterns, deployers_of
from nopea.core.apply.leftovers import removed_by_adoption
from nopea.core.drift.admission import changed_at_admission
from nopea.core.git.source import Remote
from nopea.core.objects import ObjectKey
from nopea.core.plan.model import Action, Reason, Step
from nopea.core.plan.object_diff import ObjectDiff, Three, admission_changes, field_diffs, removals
from nopea.core.problem import Problem
from nopea.informers.listed import ListedObjects
from nopea.kube.client import KubeClient
from nopea.kube.discovery import Discovery
from nopea.kube.errors import ApiError, ForbiddenError, NotFoundError
from nopea.kube.kinds import GIT_REPOSITORIES
from nopea.kube.problems import to_problem
from nopea.reconcile.dry_run import DryRun
from nopea.reconcile.fetch import Fetcher, Snapshot
from nopea.reconcile.observe import LANES
from nopea.reconcile.request import ReconcileContext
from nopea.reconcile.sync import ClusterSync, Planned
from nopea.state.ownership import Ownership
from nopea.state.repositories import RepositoryStore
from nopea.state.store import RepositoryState

_NOT_COMPARED = (Action.PRUNE, Action.REFUSE)
_SAME = (Reason.UNCHANGED, Reason.IGNORED, Reason.FINISHED, Reason.KEPT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What a sync would do now. `problems` are all of them: of Git, of rendering, and of objects."""

    objects: tuple[ObjectDiff, ...]
    problems: tuple[Problem, ...]

    @property
    def differs(self) -> bool:
        """True when the cluster differs from Git."""
        return any(one.differs for one in self.objects)

    @property
    def is_complete(self) -> bool:
        """False when something could not be read, in Git or in the cluster."""
        refused = {one.step.problem for one in self.objects if one.step.reason is not Reason.UNREADABLE}
        return all(problem in refused for problem in self.problems)


class Inspector:
    """Inspects through one connection; every inspection reads the cluster again."""

    def __init__(self, client: KubeClient, fetcher: Fetcher) -> None:
        self._client = client
        self._fetcher = fetcher
        self._discovery = Discovery(client)

    async def inspect(
        self,
        repository: Repository,
        spec: GitRepositorySpec,
        state: RepositoryState,
        remote: Remote,
        snapshot: Snapshot,
    ) -> Inspection:
        """Plan the snapshot and compare what the plan is about; raises SyncError where nothing can be read.

        A repository without a uid is none: nothing is its own, so that every object is looked at.
        """
        repositories = await self._repositories(repository)
        owner = owner_label(repository.key) if repository.uid else ""
        context = ReconcileContext(
            client=self._client,
            discovery=self._discovery,
            fetcher=self._fetcher,
            object_cache=ListedObjects(self._client, owner=owner, rules=repositories.rules),
            repositories=repositories,
            ownership=Ownership(),
            policy=AS_CALLER,
        )
        spec = msgspec.structs.replace(spec, service_account_name=None)
        work = ClusterSync(context, repository, spec, state, remote, keeps_objects=True)
        planned = await work.plan(snapshot)
        objects = await _Comparison(self._client, work, state, planned, deployers_of(spec)).run()
        said = (one.step.problem for one in objects if one.step.problem is not None)
        return Inspection(objects=objects, problems=tuple(dict.fromkeys((*planned.problems, *said))))

    async def _repositories(self, repository: Repository) -> RepositoryStore:
        """Return who may own objects: all GitRepositories where they may be listed, else anybody."""
        try:
            listed = (await self._client.list(GIT_REPOSITORIES)).items
        except ForbiddenError:
            repositories = RepositoryStore(whole_cluster=False)
        except NotFoundError:
            repositories = RepositoryStore()  # the kind is not even served
        else:
            repositories = RepositoryStore()
            for live in listed:
                repositories.put(parse_repository(live.json(), policy=AS_CALLER))
        if repository.uid:
            repositories.put(repository)
        return repositories


class _Comparison:
    """Compares every object that a plan would change or that is out of sync."""

    def __init__(
        self,
        client: KubeClient,
        work: ClusterSync,
        state: RepositoryState,
        planned: Planned,
        deployers: ManagerPatterns,
    ) -> None:
        self._client = client
        self._work = work
        self._state = state
        self._planned = planned
        self._deployers = deployers
        self._dry_run = DryRun(client, frozenset(step.key for step in planned.plan.steps))

    async def run(self) -> tuple[ObjectDiff, ...]:
        steps = self._planned.plan.steps
        diffs: dict[ObjectKey, ObjectDiff] = {}

        async def compare(step: Step) -> None:
            diffs[step.key] = await self._tried(await self._compare(step))

        await tasks.for_each(steps, compare, limit=LANES, name="compare")
        return tuple(diffs[step.key] for step in steps)

    async def _tried(self, diff: ObjectDiff) -> ObjectDiff:
        """Return the comparison with what the API server says to the write."""
        checked = await self._dry_run.check(diff.step, self._planned.live.get(diff.step.key))
        return replace(diff, step=checked.step, unchecked=checked.unchecked)

    async def _compare(self, step: Step) -> ObjectDiff:
        desired = step.desired
        if step.reason is Reason.UNCHANGED and self._is_changed_at_admission(step.key):
            return await self._admission(step)
        if desired is None or step.action in _NOT_COMPARED or step.reason in _SAME:
            return ObjectDiff(step=step)
        if step.reason is Reason.BREAK_GLASS and step.seen is None and self._is_applied_as(step):
            return ObjectDiff(step=step)
        live = self._planned.live.get(step.key)
        if live is None and step.live is not None:
            try:
                live = await self._get(step)
            except ApiError as error:
                problem = to_problem(error, object=str(step.key), source=desired.source)
                refused = replace(step, action=Action.REFUSE, reason=Reason.UNREADABLE, problem=problem)
                return ObjectDiff(step=refused)
        last = await self._work.last_manifest(step.key)
        drifted = step.seen.drift.fields if step.seen else ()
        three = Three(
            last=last,
            desired=orjson.loads(desired.body),
            live=live,
            was_applied=step.key in self._state.applied,
        )
        fields = field_diffs(step.key, three, drifted=drifted, rules=desired.rules)
        if step.reason is Reason.ADOPTED and live is not None:
            deployers = self._deployers if step.is_migration else NOBODY
            gone = removed_by_adoption(live, three.desired, rules=desired.rules, deployers=deployers)
            fields += removals(step.key, live, gone)
        if not fields and step.reason is Reason.GIT_CHANGE and not self._is_hash_known(step.key):
            step = replace(step, action=Action.LEAVE, reason=Reason.UNCHANGED)
        if step.reason is Reason.UNCHANGED and self._is_changed_at_admission(step.key):
            return await self._admission(step)
        return ObjectDiff(step=step, fields=fields)

    def _is_changed_at_admission(self, key: ObjectKey) -> bool:
        last = self._state.applied.get(key)
        return last is not None and bool(last.admission)

    async def _admission(self, step: Step) -> ObjectDiff:
        """Return what admission made of the values in Git; no apply can change that while it does."""
        assert step.desired is not None  # noqa: S101 - it is unchanged in Git
        try:
            live = await self._get(step)
        except ApiError:
            live = None
        if live is None:
            return ObjectDiff(step=step)
        sent = orjson.loads(step.desired.body)
        paths = changed_at_admission(sent, live, rules=step.desired.rules)
        return ObjectDiff(step=step, fields=admission_changes(step.key, sent, live, paths))

    def _is_hash_known(self, key: ObjectKey) -> bool:
        """Return whether the hash tells a change in Git: a command knows that of commits that it reads."""
        last = self._state.applied.get(key)
        return last is not None and bool(last.hash)

    def _is_applied_as(self, step: Step) -> bool:
        last = self._state.applied.get(step.key)
        return step.desired is not None and last is not None and last.hash == step.desired.hash

    async def _get(self, step: Step) -> Mapping[str, Any] | None:
        assert step.desired is not None  # noqa: S101 - only such steps are compared
        try:
            return (await self._client.get(step.desired.target)).json()
        except NotFoundError:
            return None  # deleted between the two looks
