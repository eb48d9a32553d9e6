"""Decides for every object on one action and its reason. Nothing else decides.

Pure: desired, observed and last applied state come in, steps come out; callers do the I/O.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from nopea.core.apply.fieldset import Path
from nopea.core.manifests.render import Desired
from nopea.core.plan.finished import is_done
from nopea.core.plan.model import (
    Action,
    ClusterState,
    LastApplied,
    ObservedDrift,
    ObservedObject,
    Plan,
    Policy,
    Reason,
    Step,
    order_of,
)
from nopea.core.problem import Code, Problem

LOOK_AGAIN = timedelta(seconds=2)
"""When to look again at an object whose kind is not served for a moment."""


def is_suspect(live: ObservedObject | None, last: LastApplied | None) -> bool:
    """Return whether the live object no longer matches the baseline recorded at the last apply.

    A Job that has finished may be gone.
    """
    if last is None:
        return False
    if live is None:
        return last.finished is None
    return live.projection is None or live.projection != last.projection


def plan(
    *,
    desired: Iterable[Desired],
    cluster: ClusterState,
    policy: Policy,
    now: datetime,
    prunes: Iterable[Step] = (),
) -> Plan:
    """Return one step for every desired object, ordered by wave, stage, kind, namespace and name.

    `prunes` are the steps for objects that are no longer in Git, as `prune.py` decided them.
    """
    steps = [_Decision(object_, cluster, policy, now).step() for object_ in desired]
    return Plan(steps=tuple(sorted([*steps, *prunes], key=order_of)))


class _Decision:
    """The decision about one desired object."""

    def __init__(self, desired: Desired, cluster: ClusterState, policy: Policy, now: datetime) -> None:
        self._desired, self._policy, self._now = desired, policy, now
        self._key = desired.key
        self._live = cluster.observed.get(desired.key)
        self._last = cluster.last_applied.get(desired.key)
        self._seen = cluster.seen.get(desired.key)
        self._unreadable = cluster.unreadable.get(desired.key)
        self._is_away = desired.key in cluster.away
        self._heal_at = cluster.heal_at.get(desired.key, now)

    def step(self) -> Step:
        live, policy = self._live, self._policy
        if self._unreadable is not None:
            return self._make(Action.REFUSE, Reason.UNREADABLE, problem=self._unreadable)
        if live is not None and live.owner not in (None, policy.owner):
            problem = owned_by_other(self._desired, live.owner or "")
            return self._make(Action.REFUSE, Reason.OWNED_BY_OTHER, problem=problem)
        if live is not None and live.break_glass is not None and live.break_glass.holds(self._now):
            return self._make(Action.LEAVE, Reason.BREAK_GLASS, retry_at=live.break_glass.until)
        if live is None and is_done(self._last, self._desired):
            return self._finished()
        if self._last is None:
            return self._first()
        if self._seen is not None and self._seen.drift.fields:
            return self._drifted(self._last, self._seen)
        if self._last.hash != self._desired.hash:
            return self._write(Reason.GIT_CHANGE)
        if self._seen is not None:
            has_baseline = self._last.projection is not None
            return self._make(Action.LEAVE, Reason.IGNORED if has_baseline else Reason.UNCHANGED, rebase=True)
        if self._last.admission and self._policy.retries_admission and self._live is not None:
            return self._write(Reason.ADMISSION)
        # an object that is away may have drifted, and nothing tells when its kind is served again
        again = self._now + LOOK_AGAIN if self._is_away else None
        return self._make(Action.LEAVE, Reason.UNCHANGED, retry_at=again)

    def _first(self) -> Step:
        if self._live is None:
            return self._make(Action.CREATE, Reason.NOT_THERE)
        ours = self._live.owner is not None and self._live.projection is not None
        return self._make(Action.APPLY, Reason.NOT_RECORDED if ours else Reason.ADOPTED)

    def _finished(self) -> Step:
        """Leave a Job whose work is done; a user who names it to be healed wants it to run again."""
        if self._key in self._policy.heal_objects:
            return self._make(Action.CREATE, Reason.NOT_THERE)
        return self._make(Action.LEAVE, Reason.FINISHED)

    def _drifted(self, last: LastApplied, seen: ObservedDrift) -> Step:
        git_changed = last.hash != self._desired.hash
        if not self._policy.heals(self._key):
            if git_changed and self._live is not None:
                return self._write(Reason.CONFLICT, keep=seen.kept)
            return self._make(Action.LEAVE, Reason.POLICY)
        if git_changed:
            return self._write(Reason.CONFLICT)
        due_at = seen.since + self._policy.grace
        if not self._policy.is_asked_to_heal(self._key) and self._now < max(due_at, self._heal_at):
            reason = Reason.GRACE if due_at >= self._heal_at else Reason.CONTENDED
            return self._make(Action.LEAVE, reason, retry_at=max(due_at, self._heal_at))
        return self._write(Reason.MANUAL_DRIFT)

    def _write(self, reason: Reason, *, keep: tuple[Path, ...] = ()) -> Step:
        return self._make(Action.APPLY if self._live is not None else Action.CREATE, reason, keep=keep)

    def _make(
        self,
        action: Action,
        reason: Reason,
        *,
        problem: Problem | None = None,
        keep: tuple[Path, ...] = (),
        rebase: bool = False,
        retry_at: datetime | None = None,
    ) -> Step:
        return Step(
            action=action,
            reason=reason,
            key=self._key,
            desired=self._desired,
            live=self._live,
            problem=problem,
            seen=self._seen,
            keep=keep,
            rebase=rebase,
            retry_at=retry_at,
        )


def owned_by_other(desired: Desired, owner: str) -> Problem:
    """Return the problem of an object that another GitRepository owns."""
    return Problem(
        code=Code.OWNED_BY_OTHER,
        message=f"The object belongs to GitRepository {owner}.",
        hint="Remove it from one of the two repositories.",
        source=desired.source,
        object=str(desired.key),
    )
