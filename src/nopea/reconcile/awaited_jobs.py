"""Wait for the Jobs that the rest of a repository waits for: the next wave begins when they succeeded."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from nopea.core.manifests.render import Desired
from nopea.core.objects import ObjectKey
from nopea.core.plan.finished import finished_as
from nopea.core.plan.model import Finish, LastApplied, ObservedObject, Plan, Step, order_of
from nopea.core.problem import Code, Problem
from nopea.informers.object_cache import ObjectCache
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiError, NotFoundError
from nopea.kube.problems import to_problem
from nopea.kube.requests import Preconditions
from nopea.reconcile.apply import desired_of
from nopea.reconcile.definitions import pauses
from nopea.reconcile.execution import Execution
from nopea.reconcile.request import Supersede

_ENDS = {Finish.COMPLETE: "succeeded", Finish.FAILED: "failed"}


class AwaitedJobs:
    """The awaited Jobs of one plan, in order; each is waited for once, all together up to a deadline."""

    def __init__(
        self,
        plan: Plan,
        client: KubeClient,
        object_cache: ObjectCache,
        applied: Mapping[ObjectKey, LastApplied],
        seconds: float,
    ) -> None:
        """`applied` is what was applied before the plan."""
        steps = [step for step in plan.steps if step.desired is not None and step.desired.awaited]
        self._waiting = sorted(steps, key=order_of)
        self._client = client
        self._object_cache = object_cache
        self._applied = applied
        self._seconds = seconds

    async def wait(self, execution: Execution, supersede: Supersede, *, before: Step | None = None) -> None:
        """Wait for the Jobs in the batches before a step's, or for all; halt the execution if one fails."""
        while self._waiting and not execution.stopped:
            step = self._waiting[0]
            if before is not None and order_of(step)[:2] >= order_of(before)[:2]:
                return
            self._waiting.pop(0)
            await self._one(step, execution, supersede)

    async def _one(self, step: Step, execution: Execution, supersede: Supersede) -> None:
        desired, last = desired_of(step), execution.applied.get(step.key) or self._applied.get(step.key)
        result = execution.results.get(step.key)
        if result is not None and result.problem is not None:
            execution.halt = result.problem
            return
        finish = last.finished.how if last is not None and last.finished is not None else None
        if finish is None:
            try:
                finish = await self._watch(desired, execution, supersede)
            except ApiError as error:
                execution.halt = to_problem(error, object=str(step.key), source=desired.source)
                return
        if finish is Finish.FAILED:
            execution.halt = _failed(desired)
        elif finish is None and not execution.superseded:
            execution.halt = _unfinished(desired, self._seconds)

    async def _watch(self, desired: Desired, execution: Execution, supersede: Supersede) -> Finish | None:
        """Return how the Job ends; None when it does not end in time, is gone, or a newer commit came."""
        try:
            async with asyncio.timeout(self._seconds):
                for pause in pauses():
                    if await supersede.now():
                        execution.superseded = True
                        return None
                    live = await self._client.get(desired.target)
                    observed = self._object_cache.observed(live.json(), rules=desired.rules)
                    if observed.finish is not None:
                        await self._note(desired, observed, execution)
                        return observed.finish
                    await asyncio.sleep(pause)
        except (TimeoutError, NotFoundError):
            return None
        return None

    async def _note(self, desired: Desired, observed: ObservedObject, execution: Execution) -> None:
        """Record how the Job ended, and delete it if Git says so: from then on it counts as done."""
        key = desired.key
        last = execution.applied.get(key) or self._applied.get(key)
        if last is None or observed.finish is None:
            return
        execution.applied[key] = replace(last, finished=finished_as(desired, observed.finish))
        if _ENDS[observed.finish] in desired.delete_after:
            await self._client.delete(desired.target, only_if=Preconditions(uid=observed.uid))


def _failed(desired: Desired) -> Problem:
    return Problem(
        code=Code.JOB_FAILED,
        message="The Job failed, and what is in later waves waits for it.",
        hint=f"Look at its Pods' logs. Push a change, or run it again with `nopea heal NAME {desired.key}`.",
        source=desired.source,
        object=str(desired.key),
    )


def _unfinished(desired: Desired, seconds: float) -> Problem:
    return Problem(
        code=Code.JOB_UNFINISHED,
        message=f"The Job has not finished within {seconds:.0f}s, and what is in later waves waits for it.",
        hint="Look at its Pods. Raise spec.timeout if it honestly takes longer; Nopea waits on.",
        source=desired.source,
        object=str(desired.key),
    )
