"""Carry out a plan: batch after batch, a batch at once. One failure stops no other object.

It decides nothing about what to write; what fails is reported with its object, and the others go on. Prunes
come last, and only if everything before them went well. A prune that fails holds up what its object may need.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from nopea import tasks
from nopea.core.apply.fieldset import Path, find, render_path
from nopea.core.apply.leftovers import leftovers, may_hold_leftovers
from nopea.core.drift.admission import changed_at_admission, digest_of
from nopea.core.drift.mask import show_field
from nopea.core.manifests.render import Desired
from nopea.core.objects import CUSTOM_RESOURCE_DEFINITION, PROTECTED_KINDS, GroupKind, ObjectKey, Resource
from nopea.core.plan.finished import record_of
from nopea.core.plan.model import Action, LastApplied, ObservedObject, Plan, Reason, Step
from nopea.core.plan.plan import owned_by_other
from nopea.core.plan.prune import may_need
from nopea.core.problem import Problem
from nopea.core.status.report import ObjectResult, Outcome
from nopea.informers.object_cache import ObjectCache
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiError, ConflictError, NotFoundError, UnreachableError
from nopea.kube.live import Applied
from nopea.kube.problems import to_problem
from nopea.kube.requests import Preconditions
from nopea.reconcile.apply import Applier, Written, desired_of
from nopea.reconcile.awaited_jobs import AwaitedJobs
from nopea.reconcile.definitions import ESTABLISHED_SECONDS, Superseded, is_unserved, wait_until_established
from nopea.reconcile.execution import Execution
from nopea.reconcile.request import Supersede

LANES = 16
"""Objects of one repository written at once; the client's limiter shares the API server fairly."""

DECIDE_AGAIN = timedelta(seconds=2)
"""When to look again at an object that changed between the decision to delete it and the deletion."""


async def _not_known(key: ObjectKey) -> Mapping[str, Any] | None:
    del key
    return None


class Executor:
    """Executes plans of one repository, through a client that acts for it."""

    def __init__(
        self,
        *,
        client: KubeClient,
        object_cache: ObjectCache,
        applier: Applier,
        claim: Callable[[ObjectKey], str],
        unclaim: Callable[[ObjectKey], None],
        resource_for: Callable[[GroupKind], Awaitable[Resource]],
        commit: str,
        applied: Mapping[ObjectKey, LastApplied],
        last_manifest: Callable[[ObjectKey], Awaitable[Mapping[str, Any] | None]] = _not_known,
        refuse: Callable[[Desired], Awaitable[Problem | None]] | None = None,
        timeout_seconds: float = ESTABLISHED_SECONDS,
    ) -> None:
        """`claim` takes an object for the repository and returns the owner's name if it is another's.

        `unclaim` gives it back: only who has written an object keeps others from writing it. `refuse` says
        why an object may not be written at all. `applied` is what was applied before; `last_manifest` returns
        its manifest, None where that is not known.
        """
        self._client = client
        self._object_cache = object_cache
        self._applier = applier
        self._claim = claim
        self._unclaim = unclaim
        self._refuse = refuse
        self._applied = applied
        self._last_manifest = last_manifest
        self._resource_for = resource_for
        self._commit = commit
        self._timeout_seconds = timeout_seconds

    async def execute(self, plan: Plan, supersede: Supersede) -> Execution:
        """Carry out the plan until it is done, superseded, or the API server is gone."""
        execution = Execution()
        for step in plan.steps:
            if not step.writes and step.action is not Action.PRUNE:
                self._leave(step, execution)
        jobs = AwaitedJobs(plan, self._client, self._object_cache, self._applied, self._timeout_seconds)
        for batch in plan.groups():
            await jobs.wait(execution, supersede, before=batch[0])
            if not execution.stopped:
                await self._batch(batch, execution, supersede, self._apply)
            if execution.stopped:
                break
            await self._wait_for_definitions(batch, execution, supersede)
        await jobs.wait(execution, supersede)
        if execution.went_well:
            await self._prune_all(plan, execution, supersede)
        return execution

    async def _prune_all(self, plan: Plan, execution: Execution, supersede: Supersede) -> None:
        stay: list[ObjectKey] = []
        for batch in plan.prunes():
            ready = [step for step in batch if not any(may_need(key, step.key) for key in stay)]
            stay += [step.key for step in batch if step not in ready]
            if ready:
                await self._batch(ready, execution, supersede, self._prune)
            if execution.stopped:
                return
            stay += [step.key for step in ready if execution.results[step.key].outcome is Outcome.FAILED]

    async def _batch(
        self,
        batch: list[Step],
        execution: Execution,
        supersede: Supersede,
        act: Callable[[Step, Execution], Awaitable[None]],
    ) -> None:
        async def take(step: Step) -> None:
            if execution.stopped:
                return
            if await supersede.now():
                execution.superseded = True
            else:
                await act(step, execution)

        await tasks.for_each(batch, take, limit=LANES, name=batch[0].action)

    def _leave(self, step: Step, execution: Execution) -> None:
        if step.rebase and step.desired is not None and step.live is not None:
            execution.applied[step.key] = record_of(
                step.desired,
                step.live,
                commit=self._commit,
                projection=step.live.projection,
                admission=self._admission_of(step.key),
            )
        result = execution.results[step.key] = left(step)
        if result.outcome is Outcome.SKIPPED:
            execution.left[step.key] = step.live

    async def _apply(self, step: Step, execution: Execution) -> None:
        desired, key = desired_of(step), step.key
        other = self._claim(key)
        if other:
            execution.results[key] = _failed(step, owned_by_other(desired, other))
            return
        try:
            if self._refuse is not None and (problem := await self._refuse(desired)):
                self._unclaim(key)
                execution.results[key] = _failed(step, problem)
                return
            written = await self._applier.apply(step)
        except ApiError as error:
            self._unclaim(key)
            _refused(step, error, execution)
            self._note_half_done(step, execution)
        else:
            if written.applied is None:  # what came after the plan was made forbids it
                self._unclaim(key)
                self._leave(written.step, execution)
                self._note_half_done(step, execution)
            else:
                await self._note_applied(written, desired, written.applied, execution)

    async def _note_applied(
        self, written: Written, desired: Desired, applied: Applied, execution: Execution
    ) -> None:
        step, live = written.step, applied.json()
        key, observed = step.key, self._object_cache.observed(live, rules=desired.rules)
        self._object_cache.assume(desired.resource, key, observed)
        body = orjson.loads(desired.body)
        admission = changed_at_admission(body, live, rules=desired.rules)
        execution.applied[key] = record_of(
            desired,
            observed,
            commit=self._commit,
            projection=None if step.keep else observed.projection,
            admission=digest_of(admission),
        )
        if step.keep:
            execution.left[key] = observed
        same = step.live is not None and step.live.resource_version == observed.resource_version
        same = same and not self._applier.has_taken_over(key)
        outcome = Outcome.UNCHANGED if same else Outcome.CONFIGURED
        is_known = self._admission_of(key) == digest_of(admission)
        execution.results[key] = replace(
            _applied(_without(step, admission, live), Outcome.CREATED if applied.created else outcome),
            admission=() if is_known else tuple(_change(key, path, body, live) for path in admission),
            removed=tuple(map(render_path, written.removed)),
            leftovers=await self._leftovers(step, desired, live),
            api_version=applied.head.api_version,
            uid=applied.meta.uid,
        )

    def _admission_of(self, key: ObjectKey) -> str:
        """Return the digest of what admission changed at the last apply."""
        last = self._applied.get(key)
        return last.admission if last is not None else ""

    async def _leftovers(
        self, step: Step, desired: Desired, live: Mapping[str, Any]
    ) -> tuple[tuple[str, str], ...]:
        """Return the fields that this change in Git dropped and that stay, with their managers.

        What Git had is read only if another manager owns something that we do not.
        """
        if step.reason not in (Reason.GIT_CHANGE, Reason.CONFLICT) or not may_hold_leftovers(live):
            return ()
        last = await self._last_manifest(step.key)
        if last is None:
            return ()
        found = leftovers(last, orjson.loads(desired.body), live)
        return tuple((render_path(path), manager) for path, manager in found if path not in step.keep)

    def _note_half_done(self, step: Step, execution: Execution) -> None:
        """Have the next sync apply an object taken over but not applied: it does not show as drift."""
        if step.seen is not None and self._applier.has_taken_over(step.key):
            execution.applied[step.key] = LastApplied(hash="", projection=None)

    async def _prune(self, step: Step, execution: Execution) -> None:
        """Delete one object if it has not changed since the decision; else the next sync decides."""
        assert step.live is not None  # noqa: S101 - what is not there is not pruned
        try:
            resource = await self._resource_for(step.key.group_kind)
            latest = (
                self._object_cache.get(resource, step.key)
                if self._object_cache.knows(resource, step.key.namespace)
                else step.live
            )
            if latest is None or _safeguards(latest) != _safeguards(step.live):
                execution.results[step.key] = _kept_for_now(step)
                return
            terminating = await self._client.delete(
                resource.at(name=step.key.name, namespace=step.key.namespace),
                only_if=Preconditions(uid=step.live.uid, resource_version=latest.resource_version),
            )
            if terminating is not None:  # it is not as healthy as the watch may still show it
                observed = self._object_cache.observed(terminating.json())
                self._object_cache.assume(resource, step.key, observed)
        except NotFoundError as error:
            if is_unserved(error):  # its kind is away, which says nothing about the object
                execution.results[step.key] = _kept_for_now(step)
                return
            terminating = None
        except ConflictError:
            execution.results[step.key] = _kept_for_now(step)
            return
        except ApiError as error:
            _refused(step, error, execution)
            return
        if terminating is None:
            self._object_cache.assume_gone(step.key)
            execution.gone.add(step.key)
        execution.results[step.key] = _result(step, Outcome.PRUNED)

    async def _wait_for_definitions(
        self, batch: Iterable[Step], execution: Execution, supersede: Supersede
    ) -> None:
        """Wait for all definitions of a batch at once: their objects come in a later batch."""
        definitions = [
            step
            for step in batch
            if step.key.group_kind == CUSTOM_RESOURCE_DEFINITION and step.key in execution.applied
        ]

        async def wait(step: Step) -> None:
            desired = desired_of(step)
            try:
                problem = await wait_until_established(
                    self._client,
                    desired.target,
                    source=desired.source,
                    seconds=min(ESTABLISHED_SECONDS, self._timeout_seconds),
                    stop=supersede.now,
                )
            except ApiError as error:  # an account may write definitions and not read them
                _refused(step, error, execution)
            except Superseded:
                execution.superseded = True
            else:
                if problem is None:
                    return
                execution.results[step.key] = _failed(step, problem)
            del execution.applied[step.key]  # so that the next reconciliation waits for it again

        await tasks.for_each(definitions, wait, limit=LANES, name="definition")


def _refused(step: Step, error: ApiError, execution: Execution) -> None:
    """Record an object's error; raise it when the API server is gone, which ends the execution."""
    problem = to_problem(
        error,
        object=str(step.key),
        source=step.desired.source if step.desired else "",
        recreatable=step.key.group_kind not in PROTECTED_KINDS,
    )
    if isinstance(error, UnreachableError):
        execution.halt = problem
    else:
        execution.results[step.key] = _failed(step, problem)


def left(step: Step) -> ObjectResult:
    """Return the result of a step that writes nothing."""
    if step.problem is not None:
        return _failed(step, step.problem)
    fine = step.reason in (Reason.UNCHANGED, Reason.IGNORED, Reason.FINISHED)
    return _result(step, Outcome.UNCHANGED if fine else Outcome.SKIPPED)


def _result(step: Step, outcome: Outcome) -> ObjectResult:
    return ObjectResult(
        key=step.key,
        outcome=outcome,
        reason=step.reason,
        seen=step.seen,
        retry_at=step.retry_at,
        declared=step.desired is not None,
        kept=step.kept,
    )


def _without(step: Step, admission: Collection[Path], live: Mapping[str, Any]) -> Step:
    """Drop drift that was not reverted, because admission set the same value again."""
    if step.seen is None or not admission:
        return step
    drift = step.seen.drift
    fields = tuple(
        field for field in drift.fields if field.keys not in admission or find(live, field.keys) != field.to
    )
    return replace(step, seen=replace(step.seen, drift=replace(drift, fields=fields)))


def _change(key: ObjectKey, path: Path, sent: Mapping[str, Any], stored: Mapping[str, Any]) -> str:
    before, after = (show_field(find(value, path), key=key, path=path, limit=60) for value in (sent, stored))
    return f"{render_path(path)} {before} → {after}"


def _applied(step: Step, outcome: Outcome) -> ObjectResult:
    """Fields that the apply kept are drift that the policy leaves; the others are in sync now."""
    result = _result(step, outcome)
    if step.seen is None or not step.keep:
        return result
    fields = tuple(one for one in step.seen.drift.fields if one.keys in step.keep)
    seen = replace(step.seen, drift=replace(step.seen.drift, fields=fields))
    return replace(result, reason=Reason.POLICY, seen=seen, left=True)


def _safeguards(live: ObservedObject) -> tuple[object, ...]:
    """The facts of a live object on which a decision to delete rests."""
    return (live.uid, live.owner, live.prune, live.break_glass, live.projection is not None)


def _kept_for_now(step: Step) -> ObjectResult:
    """The object has changed since the decision: decide again soon."""
    retry_at = datetime.now(UTC) + DECIDE_AGAIN
    return replace(_result(step, Outcome.SKIPPED), reason=Reason.KEPT, retry_at=retry_at)


def _failed(step: Step, problem: Problem) -> ObjectResult:
    return replace(_result(step, Outcome.FAILED), problem=problem)
