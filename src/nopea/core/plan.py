"""The plan: for every object one action and its reason. There is no second place that decides.

Pure: desired, observed and last applied state come in, steps come out; callers do the I/O.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from nopea.core.api.spec import HealPolicy
from nopea.core.desired import Desired
from nopea.core.objects import ObjectKey
from nopea.core.problem import Code, Problem


class Action(enum.StrEnum):
    """What is done to an object."""

    CREATE = "create"
    APPLY = "apply"
    LEAVE = "leave"
    REFUSE = "refuse"


class Reason(enum.StrEnum):
    """Why."""

    NOT_THERE = "not there"
    GIT_CHANGE = "git change"
    CLUSTER_CHANGE = "changed in the cluster"
    RESTART = "not compared since the start"
    UNCHANGED = "unchanged"
    POLICY = "policy"
    BREAK_GLASS = "break-glass"
    SUSPENDED = "suspended"
    OWNED_BY_OTHER = "owned by another GitRepository"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakGlass:
    """The annotations that protect one live object from every write; `until` None means without end."""

    until: datetime | None = None

    def holds(self, now: datetime) -> bool:
        """True while the object must not be written."""
        return self.until is None or now < self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What the watches know of a live object that carries our label key."""

    owner: str
    resource_version: str
    break_glass: BreakGlass | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LastApplied:
    """What we remember of our last successful apply of an object."""

    hash: str
    resource_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the spec says about writing."""

    owner: str
    heal: HealPolicy = HealPolicy.AUTO
    suspended: bool = False
    git_unchanged: bool = False
    """True when this very commit was applied in full under this spec, maybe by an earlier process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One object, one action, one reason."""

    action: Action
    reason: Reason
    desired: Desired
    problem: Problem | None = None

    @property
    def writes(self) -> bool:
        """True when executing the step sends a request."""
        return self.action in (Action.CREATE, Action.APPLY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All steps of a pass, in the order of applying."""

    steps: tuple[Step, ...]

    def groups(self) -> list[list[Step]]:
        """Return the writing steps in batches: one after another, the steps of a batch at the same time."""
        writing = [step for step in self.steps if step.writes]
        return [list(batch) for _, batch in groupby(writing, key=lambda step: _order(step)[:2])]


def plan(
    *,
    desired: Iterable[Desired],
    observed: Mapping[ObjectKey, Observed],
    last_applied: Mapping[ObjectKey, LastApplied],
    policy: Policy,
    now: datetime,
) -> Plan:
    """Decide about every desired object; steps come in the order wave, stage, namespace, kind, name."""
    steps = [
        _decide(one, observed.get(one.key), last_applied.get(one.key), policy=policy, now=now)
        for one in desired
    ]
    return Plan(steps=tuple(sorted(steps, key=_order)))


def _decide(
    desired: Desired, live: Observed | None, last: LastApplied | None, *, policy: Policy, now: datetime
) -> Step:
    def step(action: Action, reason: Reason, problem: Problem | None = None) -> Step:
        return Step(action=action, reason=reason, desired=desired, problem=problem)

    if policy.suspended:
        return step(Action.LEAVE, Reason.SUSPENDED)
    if live is not None and live.owner != policy.owner:
        return step(Action.REFUSE, Reason.OWNED_BY_OTHER, owned_by_other(desired, live.owner))
    if live is not None and live.break_glass is not None and live.break_glass.holds(now):
        return step(Action.LEAVE, Reason.BREAK_GLASS)
    if last.hash == desired.hash if last else policy.git_unchanged:
        return step(*_unchanged_in_git(live, last, heal=policy.heal))
    if live is None:
        return step(Action.CREATE, Reason.NOT_THERE)
    return step(Action.APPLY, Reason.GIT_CHANGE)


def _unchanged_in_git(
    live: Observed | None, last: LastApplied | None, *, heal: HealPolicy
) -> tuple[Action, Reason]:
    if live is not None and last is not None and live.resource_version == last.resource_version:
        return Action.LEAVE, Reason.UNCHANGED
    if heal is not HealPolicy.AUTO:
        return Action.LEAVE, Reason.POLICY
    if live is None:
        return Action.CREATE, Reason.NOT_THERE
    return Action.APPLY, Reason.CLUSTER_CHANGE if last is not None else Reason.RESTART


def owned_by_other(desired: Desired, owner: str) -> Problem:
    """Return the problem of an object that another repository has claimed."""
    return Problem(
        code=Code.OWNED_BY_OTHER,
        message=f"it belongs to the GitRepository {owner}",
        hint="Remove it from one of the two repositories.",
        source=desired.source,
        object=str(desired.key),
    )


def _order(step: Step) -> tuple[int, int, ObjectKey]:
    return (step.desired.wave, step.desired.stage, step.desired.key)
