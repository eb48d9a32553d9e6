"""Carry out a plan: batch after batch, the steps of a batch at the same time, each object for itself.

It decides nothing about what to write; what fails is reported with its object, and the others go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from nopea.core.api import names
from nopea.core.desired import CRD, Desired
from nopea.core.objects import GroupKind, ObjectKey
from nopea.core.plan import LastApplied, Observed, Plan, Reason, Step, owned_by_other
from nopea.core.problem import Problem
from nopea.core.report import ObjectResult, Outcome
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiError, NotFoundError, UnreachableError, is_immutable
from nopea.kube.live import Applied
from nopea.kube.problems import to_problem
from nopea.kube.requests import Preconditions
from nopea.kube.resource import Target
from nopea.sync.definitions import is_unserved, pauses, wait_until_established, wait_until_served
from nopea.sync.live_index import LiveIndex
from nopea.sync.places import target_of
from nopea.sync.request import Supersede

LANES = 16
"""Objects of one repository under way at once; the client's limiter shares the API server fairly."""

RECREATE_SECONDS = 30.0
NEVER_RECREATED = frozenset(
    {CRD, GroupKind("", "Namespace"), GroupKind("", "PersistentVolumeClaim")}
)  # recreating one destroys what is inside it


@dataclass(slots=True)
class Execution:
    """What has been done so far; readable at any time, also after the pass was stopped."""

    results: dict[ObjectKey, ObjectResult] = field(default_factory=dict)
    applied: dict[ObjectKey, LastApplied] = field(default_factory=dict)
    superseded: bool = False
    unreachable: Problem | None = None

    @property
    def stopped(self) -> bool:
        """True when no further object may be started."""
        return self.superseded or self.unreachable is not None


class Executor:
    """Executes plans of one repository, through a client that acts for it."""

    def __init__(
        self,
        *,
        client: KubeClient,
        index: LiveIndex,
        owner: str,
        claim: Callable[[ObjectKey], str],
        defined_here: frozenset[GroupKind],
    ) -> None:
        """`claim` takes an object for the repository and returns the owner's name if it is another's."""
        self._client = client
        self._owner = owner
        self._index = index
        self._claim = claim
        self._defined_here = defined_here

    async def execute(self, plan: Plan, supersede: Supersede) -> Execution:
        """Carry out the plan until it is done, superseded, or the API server is gone."""
        execution = Execution()
        for step in plan.steps:
            if not step.writes:
                execution.results[step.desired.key] = _left(step)
        for batch in plan.groups():
            await self._batch(batch, execution, supersede)
            if execution.stopped:
                break
            await self._wait_for_definitions(batch, execution)
        return execution

    async def _batch(self, batch: list[Step], execution: Execution, supersede: Supersede) -> None:
        waiting = iter(batch)

        async def lane() -> None:
            for step in waiting:
                if execution.stopped:
                    return
                if await supersede.now():
                    execution.superseded = True
                    return
                await self._step(step, execution)

        async with asyncio.TaskGroup() as group:
            for number in range(min(LANES, len(batch))):
                group.create_task(lane(), name=f"apply lane {number}")

    async def _step(self, step: Step, execution: Execution) -> None:
        desired = step.desired
        other = self._claim(desired.key)
        if other:
            execution.results[desired.key] = _failed(desired, owned_by_other(desired, other))
            return
        # Asked before the write: the watch may tell of it sooner than its answer does.
        before = self._index.get(desired.key)
        try:
            applied = await self._apply(desired)
        except ApiError as error:
            _refused(desired, error, execution)
        else:
            self._record(desired, before, applied, execution)

    async def _apply(self, desired: Desired) -> Applied:
        target = target_of(desired)
        try:
            return await self._client.apply(target, desired.body)
        except NotFoundError as error:
            if desired.key.group_kind not in self._defined_here or not is_unserved(error):
                raise
            await wait_until_served(self._client, target.resource)
            return await self._client.apply(target, desired.body)
        except ApiError as error:
            if not (is_immutable(error) and desired.force) or desired.key.group_kind in NEVER_RECREATED:
                raise
            return await self._recreate(target, desired)

    async def _recreate(self, target: Target, desired: Desired) -> Applied:
        """Delete and apply anew; only an object that carries our label, only the one that was looked at."""
        live = await self._client.get(target)
        if live.meta.labels.get(names.REPOSITORY_LABEL) != self._owner:
            return await self._client.apply(target, desired.body)  # raises what the server said before
        await self._client.delete(target, only_if=Preconditions(uid=live.meta.uid))
        await self._wait_until_gone(target, live.meta.uid)
        return await self._client.apply(target, desired.body)

    async def _wait_until_gone(self, target: Target, uid: str) -> None:
        """Return when the object is gone or another, or in time: the next apply says what is wrong."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + RECREATE_SECONDS
        for pause in pauses():
            try:
                live = await self._client.get(target)
            except NotFoundError:
                return
            if live.meta.uid != uid or loop.time() > deadline:
                return
            await asyncio.sleep(pause)

    def _record(
        self, desired: Desired, before: Observed | None, applied: Applied, execution: Execution
    ) -> None:
        version = applied.meta.resource_version
        if applied.created:
            outcome = Outcome.CREATED
        elif before is not None and before.resource_version == version:
            outcome = Outcome.UNCHANGED
        else:
            outcome = Outcome.CONFIGURED
        self._index.assume(desired.key, applied)
        execution.applied[desired.key] = LastApplied(hash=desired.hash, resource_version=version)
        execution.results[desired.key] = ObjectResult(key=desired.key, outcome=outcome)

    async def _wait_for_definitions(self, batch: Iterable[Step], execution: Execution) -> None:
        """Custom resources come in a later batch: let the API server serve their kinds first."""
        definitions = [
            step.desired
            for step in batch
            if step.desired.key.group_kind == CRD and step.desired.key in execution.applied
        ]
        for desired in definitions:
            try:
                problem = await wait_until_established(
                    self._client, target_of(desired), source=desired.source
                )
            except ApiError as error:  # an account may write definitions and not read them
                _refused(desired, error, execution)
            else:
                if problem is None:
                    continue
                execution.results[desired.key] = _failed(desired, problem)
            del execution.applied[desired.key]  # so that the next pass waits for it again


def _refused(desired: Desired, error: ApiError, execution: Execution) -> None:
    """Note what the API server said about an object; without an API server there is no next object either."""
    problem = to_problem(
        error,
        object=str(desired.key),
        source=desired.source,
        recreatable=desired.key.group_kind not in NEVER_RECREATED,
    )
    if isinstance(error, UnreachableError):
        execution.unreachable = problem
    else:
        execution.results[desired.key] = _failed(desired, problem)


def _left(step: Step) -> ObjectResult:
    if step.problem is not None:
        return _failed(step.desired, step.problem)
    unchanged = step.reason is Reason.UNCHANGED
    return ObjectResult(key=step.desired.key, outcome=Outcome.UNCHANGED if unchanged else Outcome.SKIPPED)


def _failed(desired: Desired, problem: Problem) -> ObjectResult:
    return ObjectResult(key=desired.key, outcome=Outcome.FAILED, problem=problem)
