"""What takes the place of acting while Nopea runs read-only: compare what is planned, and report it.

Sends no request but reads. The inventory stays as it is stored: a process that writes continues there.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from nopea.core.api.labels import owner_label
from nopea.core.api.repository import Repository
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.apply.ignore_rules import deployers_of, is_mark
from nopea.core.plan.model import Action, Plan, Reason, Step
from nopea.core.plan.object_diff import ADMISSION, FieldDiff, ObjectDiff
from nopea.core.plan.plan import owned_by_other
from nopea.core.status.report import ObjectResult, Outcome, ReconcileReport, Result
from nopea.kube.client import KubeClient
from nopea.reconcile.accounts import client_for
from nopea.reconcile.comparison import Comparison
from nopea.reconcile.execute import left
from nopea.reconcile.execution import Execution
from nopea.reconcile.fetch import Snapshot
from nopea.reconcile.request import ReconcileContext
from nopea.reconcile.sync import ClusterSync, Planned, with_execution
from nopea.state.inventory import forget
from nopea.state.store import RepositoryState

_AT_ONCE = 20
"""Comparing costs about a millisecond for each object, and others wait for the event loop."""

_SAME_UNLESS_SEEN = (Reason.ADOPTED, Reason.NOT_RECORDED, Reason.ADMISSION)
"""Reasons to apply an object about which Git and the cluster may agree."""


class ReadOnlySync:
    """One sync's work for one repository, up to the plan."""

    def __init__(
        self,
        context: ReconcileContext,
        repository: Repository,
        spec: GitRepositorySpec,
        state: RepositoryState,
        work: ClusterSync,
    ) -> None:
        """`work` keeps the live objects that it reads."""
        self._client: KubeClient = client_for(context, repository, spec)
        self._owner = owner_label(repository.key)
        self._deployers = deployers_of(spec)
        self._state = state
        self._work = work

    async def run(self, snapshot: Snapshot, report: ReconcileReport) -> ReconcileReport:
        """Return the report with what a sync would do; raises as `ClusterSync.run`."""
        planned = await self._work.plan(snapshot)
        self._work.note_refusals(planned.plan.steps)
        execution = Execution()
        for step in planned.plan.steps:
            if step.action is not Action.APPLY:
                execution.results[step.key] = self._planned(step)
        applies = [step for step in planned.plan.steps if step.action is Action.APPLY]
        for at in range(0, len(applies), _AT_ONCE):
            for diff in await self._compare(planned, tuple(applies[at : at + _AT_ONCE])):
                execution.results[diff.step.key] = self._compared(diff)
            await asyncio.sleep(0)
        self._remember(planned)
        report = with_execution(report, execution, planned.problems)
        result = Result.PLANNED if report.result is Result.SYNCED else report.result
        return replace(report, result=result, commit=snapshot.commit, contested=self._work.contested())

    async def _compare(self, planned: Planned, steps: tuple[Step, ...]) -> tuple[ObjectDiff, ...]:
        part = replace(planned, plan=Plan(steps=steps))
        comparison = Comparison(
            self._client, self._work, self._state, part, deployers=self._deployers, dry_run=None
        )
        return await comparison.run()

    def _compared(self, diff: ObjectDiff) -> ObjectResult:
        """Return what becomes of an object to apply; marks of Nopea and other tools do not count."""
        step = diff.step
        may_be_same = step.action is Action.APPLY and step.reason in _SAME_UNLESS_SEEN
        if may_be_same and all(_is_no_change(field) for field in diff.fields):
            return self._claimed(step) or replace(left(step), outcome=Outcome.UNCHANGED)
        return self._planned(step)

    def _planned(self, step: Step) -> ObjectResult:
        result = left(step)
        if not step.writes and step.action is not Action.PRUNE:
            return result
        return self._claimed(step) or replace(result, planned=step.action, reason=Reason.READ_ONLY)

    def _claimed(self, step: Step) -> ObjectResult | None:
        """Return the refusal of an object that another repository would apply; None without one."""
        if step.desired is None or not (other := self._work.claim(step.key)):
            return None
        return left(replace(step, problem=owned_by_other(step.desired, other)))

    def _remember(self, planned: Planned) -> None:
        """Record how the objects are, so that a change of one is noticed and the rest is quiet."""
        forget(self._state, planned.gone)
        self._state.left = {
            step.key: step.live.facts if step.live is not None and step.live.owner == self._owner else None
            for step in planned.plan.steps
            if step.key in self._state.applied
        }


def _is_no_change(field: FieldDiff) -> bool:
    """Return whether it is what admission makes of Git, or a mark of another tool that Nopea removes."""
    return field.note == ADMISSION or (field.git is None and is_mark(field.keys))
