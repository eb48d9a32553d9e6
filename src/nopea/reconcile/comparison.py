"""Compare what a plan is about with the cluster, object by object, and try its writes. Stores nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import orjson

from nopea import tasks
from nopea.core.apply.adoption import NOBODY
from nopea.core.apply.body import body_to_apply
from nopea.core.apply.fieldset import Path
from nopea.core.apply.ignore_rules import ManagerPatterns
from nopea.core.apply.leftovers import removed_by_adoption
from nopea.core.drift.admission import changed_at_admission
from nopea.core.objects import ObjectKey
from nopea.core.plan.model import Action, Reason, Step
from nopea.core.plan.object_diff import ObjectDiff, Three, admission_changes, field_diffs, removals
from nopea.core.plan.outcome import Change, change_of, predicted, without_paths
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiError, NotFoundError
from nopea.kube.problems import to_problem
from nopea.reconcile.apply import may_hold_claims
from nopea.reconcile.dry_run import Checked, DryRun
from nopea.reconcile.observe import LANES
from nopea.reconcile.sync import ClusterSync, Planned
from nopea.state.store import RepositoryState

_NOT_COMPARED = (Action.PRUNE, Action.REFUSE)
_SAME = (Reason.UNCHANGED, Reason.IGNORED, Reason.FINISHED, Reason.KEPT)

Tell: TypeAlias = Callable[[int, int], None]
"""Hears how many objects are compared, and of how many."""


def told_nobody(done: int, of: int) -> None:
    """Tell nobody how far a comparison is."""
    del done, of


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared:
    """One object with its differences, and what is needed to know what a sync makes of it."""

    diff: ObjectDiff
    live: Mapping[str, Any] | None = None
    last: Mapping[str, Any] | None = None
    gone: tuple[Path, ...] = ()


class Comparison:
    """Compares every object that a plan would change or that is out of sync."""

    def __init__(
        self,
        client: KubeClient,
        work: ClusterSync,
        state: RepositoryState,
        planned: Planned,
        *,
        deployers: ManagerPatterns,
        dry_run: DryRun | None,
        tell: Tell = told_nobody,
    ) -> None:
        """Without a `dry_run`, what becomes of an object is computed and the API server is not asked."""
        self._client = client
        self._work = work
        self._state = state
        self._planned = planned
        self._deployers = deployers
        self._dry_run = dry_run
        self._tell = tell

    async def run(self) -> tuple[ObjectDiff, ...]:
        """Return one comparison for each step, in the plan's order."""
        steps = self._planned.plan.steps
        diffs: dict[ObjectKey, ObjectDiff] = {}

        async def compare(step: Step) -> None:
            diffs[step.key] = await self._tried(await self._compare(step))
            self._tell(len(diffs), len(steps))

        await tasks.for_each(steps, compare, limit=LANES, name="compare")
        return tuple(diffs[step.key] for step in steps)

    async def _tried(self, compared: _Compared) -> ObjectDiff:
        """Return the comparison with what the API server says to the write."""
        diff = compared.diff
        checked = Checked(step=diff.step)
        if self._dry_run is not None:
            checked = await self._dry_run.check(diff.step, compared.live)
        return replace(
            diff,
            step=checked.step,
            change=_change(compared, checked),
            unchecked=checked.unchecked,
            recreated=checked.recreated,
        )

    async def _compare(self, step: Step) -> _Compared:
        desired = step.desired
        if step.reason is Reason.UNCHANGED and self._is_changed_at_admission(step.key):
            return await self._admission(step)
        if desired is None or step.action in _NOT_COMPARED or step.reason in _SAME:
            return _Compared(diff=ObjectDiff(step=step))
        if step.reason is Reason.BREAK_GLASS and step.seen is None and self._is_applied_as(step):
            return _Compared(diff=ObjectDiff(step=step))
        live = self._planned.live.get(step.key)
        if live is None and step.live is not None:
            try:
                live = await self._get(step)
            except ApiError as error:
                problem = to_problem(error, object=str(step.key), source=desired.source)
                refused = replace(step, action=Action.REFUSE, reason=Reason.UNREADABLE, problem=problem)
                return _Compared(diff=ObjectDiff(step=refused))
        last = await self._work.last_manifest(step.key)
        drifted = step.seen.drift.fields if step.seen else ()
        three = Three(
            last=last,
            desired=orjson.loads(desired.body),
            live=live,
            was_applied=step.key in self._state.applied,
        )
        fields = field_diffs(step.key, three, drifted=drifted, rules=desired.rules, kept=step.keep)
        gone: tuple[Path, ...] = ()
        if live is not None and step.writes and may_hold_claims(step):
            deployers = self._deployers if step.is_migration else NOBODY
            gone = removed_by_adoption(live, three.desired, rules=desired.rules, deployers=deployers)
        if step.reason is Reason.ADOPTED and live is not None:
            fields += removals(step.key, live, gone)
        if not fields and step.reason is Reason.GIT_CHANGE and not self._is_hash_known(step.key):
            step = replace(step, action=Action.LEAVE, reason=Reason.UNCHANGED)
        if step.reason is Reason.UNCHANGED and self._is_changed_at_admission(step.key):
            return await self._admission(step)
        return _Compared(diff=ObjectDiff(step=step, fields=fields), live=live, last=last, gone=gone)

    def _is_changed_at_admission(self, key: ObjectKey) -> bool:
        last = self._state.applied.get(key)
        return last is not None and bool(last.admission)

    async def _admission(self, step: Step) -> _Compared:
        """Return what admission made of the values in Git; no apply can change that while it does."""
        assert step.desired is not None  # noqa: S101 - it is unchanged in Git
        try:
            live = await self._get(step)
        except ApiError:
            live = None
        if live is None:
            return _Compared(diff=ObjectDiff(step=step))
        sent = orjson.loads(step.desired.body)
        paths = changed_at_admission(sent, live, rules=step.desired.rules)
        return _Compared(
            diff=ObjectDiff(step=step, fields=admission_changes(step.key, sent, live, paths)), live=live
        )

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


def _change(compared: _Compared, checked: Checked) -> Change | None:
    """Return what a sync makes of the object: by the answer to a dry run, else as computed.

    A dry run does not know of fields that a sync takes over before it applies, and so removes.
    """
    step = checked.step
    if not step.writes or step.desired is None:
        return None
    desired = orjson.loads(step.desired.body)
    if compared.live is None or checked.recreated:
        return change_of(compared.live, desired)
    if checked.answer is not None:
        return change_of(compared.live, without_paths(checked.answer, compared.gone))
    body = body_to_apply(desired, compared.live, rules=step.desired.rules, keep=step.keep)
    after = predicted(compared.live, body, desired=desired, last=compared.last, gone=compared.gone)
    return change_of(compared.live, after)
