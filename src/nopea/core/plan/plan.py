"""The plan: for every object one action and its reason. There is no second place that decides.

Pure: desired, observed and last applied state come in, steps come out; callers do the I/O.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby

from nopea.core.api.spec import HealPolicy
from nopea.core.apply.fieldset import Path
from nopea.core.drift.find import Drift
from nopea.core.health.assess import Health, HealthStatus
from nopea.core.manifests.render import Desired
from nopea.core.manifests.stages import stage_of
from nopea.core.objects import ObjectKey
from nopea.core.problem import Code, Problem

UNKNOWN_HEALTH = Health(status=HealthStatus.UNKNOWN)


class Action(enum.StrEnum):
    """What is done to an object."""

    CREATE = "create"
    APPLY = "apply"
    LEAVE = "leave"
    PRUNE = "prune"
    REFUSE = "refuse"


class Reason(enum.StrEnum):
    """Why."""

    NOT_THERE = "not there"
    GIT_CHANGE = "git change"
    MANUAL_DRIFT = "manual drift"
    CONFLICT = "conflict"
    ADOPTED = "adopted"
    NOT_RECORDED = "not recorded"
    """It is ours by label, but no inventory says what was applied: a crash came between the two."""
    UNCHANGED = "unchanged"
    IGNORED = "ignored field"
    POLICY = "policy"
    GRACE = "inside the grace period"
    CONTENDED = "contended"
    BREAK_GLASS = "break-glass"
    SUSPENDED = "suspended"
    OWNED_BY_OTHER = "owned by another GitRepository"
    UNREADABLE = "cannot be read"
    GONE_FROM_GIT = "gone from Git"
    KEPT = "kept"
    PRUNE_REFUSED = "pruning refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakGlass:
    """The annotations that protect one live object from every write; `until` None means without end."""

    until: datetime | None = None

    def holds(self, now: datetime) -> bool:
        """True while the object must not be written."""
        return self.until is None or now < self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What is known of a live object; `owner` is its ownership label, None without one.

    `projection` is the hash of `core/apply/projection.py`, None where we have no Apply entry in the object.
    """

    owner: str | None
    resource_version: str
    uid: str = ""
    projection: str | None = None
    break_glass: BreakGlass | None = None
    prune: str | None = None
    terminating: bool = False
    health: Health = UNKNOWN_HEALTH


@dataclass(frozen=True, slots=True, kw_only=True)
class LastApplied:
    """What we remember of our last successful apply of an object, also across restarts (the inventory).

    `hash` is that of the wish, `projection` the baseline of the live object, None where drift was left in it.
    """

    hash: str
    projection: str | None
    commit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a look at an object showed whose projection is not the baseline.

    `kept` are the drifted fields that Git did not change; `since` is when the drift began, as far as known.
    """

    drift: Drift
    since: datetime
    kept: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the spec and people's requests say about writing."""

    owner: str
    heal: HealPolicy = HealPolicy.AUTO
    grace: timedelta = timedelta(0)
    suspended: bool = False
    heal_requested: bool = False
    """A person asked for a sync or for healing: under `manual` and `notify` that heals (design section 8)."""
    heal_objects: frozenset[ObjectKey] = frozenset()
    """The same for single objects."""

    def heals(self, key: ObjectKey) -> bool:
        """Whether manual drift of this object may be put right."""
        return self.heal is HealPolicy.AUTO or self.is_asked_to_heal(key)

    def is_asked_to_heal(self, key: ObjectKey) -> bool:
        """Whether a person asked for it, so that no grace period counts."""
        return self.heal_requested or key in self.heal_objects


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One object, one action, one reason.

    `keep` are fields that an apply leaves as they are; `rebase` says that the live projection is the new
    baseline; `retry_at` is when the answer may be another without anything having changed.
    """

    action: Action
    reason: Reason
    key: ObjectKey
    desired: Desired | None = None
    live: Observed | None = None
    problem: Problem | None = None
    seen: Seen | None = None
    keep: tuple[Path, ...] = ()
    rebase: bool = False
    retry_at: datetime | None = None

    @property
    def writes(self) -> bool:
        """True when executing the step applies the object."""
        return self.action in (Action.CREATE, Action.APPLY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All steps of a pass, in the order of applying; what Git does not want stands in wave 0."""

    steps: tuple[Step, ...]

    def groups(self) -> list[list[Step]]:
        """Return the applying steps in batches: one after another, the steps of a batch at the same time."""
        writing = [step for step in self.steps if step.writes]
        return [list(batch) for _, batch in groupby(writing, key=lambda step: _order(step)[:2])]

    def prunes(self) -> list[list[Step]]:
        """Return the prunes in batches, what others need last."""
        pruning = sorted((step for step in self.steps if step.action is Action.PRUNE), key=_order)
        batches = [list(batch) for _, batch in groupby(pruning, key=lambda step: _order(step)[:2])]
        return batches[::-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What is known outside Git: the live objects, what was applied last, and a closer look at suspects.

    An `unreadable` object may be under break-glass or another repository's: it is refused.
    """

    observed: Mapping[ObjectKey, Observed] = field(default_factory=dict)
    last_applied: Mapping[ObjectKey, LastApplied] = field(default_factory=dict)
    seen: Mapping[ObjectKey, Seen] = field(default_factory=dict)
    unreadable: Mapping[ObjectKey, Problem] = field(default_factory=dict)
    heal_at: Mapping[ObjectKey, datetime] = field(default_factory=dict)
    """When an object that is fought over may be healed again (`core/plan/contention.py`)."""


def is_suspect(live: Observed | None, last: LastApplied | None) -> bool:
    """Say that an object must be looked at: it is not as our last apply left it."""
    if last is None:
        return False
    return live is None or live.projection is None or live.projection != last.projection


def plan(
    *, desired: Iterable[Desired], world: World, policy: Policy, now: datetime, prunes: Iterable[Step] = ()
) -> Plan:
    """Decide about every desired object; steps come in the order wave, stage, kind, namespace, name.

    `prunes` are the steps about objects that Git does not want, as `core/plan/prune.py` decided them.
    """
    steps = [_Decision(one, world, policy, now).step() for one in desired]
    return Plan(steps=tuple(sorted([*steps, *prunes], key=_order)))


class _Decision:
    """The decision about one desired object."""

    def __init__(self, desired: Desired, world: World, policy: Policy, now: datetime) -> None:
        self._desired, self._policy, self._now = desired, policy, now
        self._key = desired.key
        self._live = world.observed.get(desired.key)
        self._last = world.last_applied.get(desired.key)
        self._seen = world.seen.get(desired.key)
        self._unreadable = world.unreadable.get(desired.key)
        self._heal_at = world.heal_at.get(desired.key, now)

    def step(self) -> Step:
        live, policy = self._live, self._policy
        if policy.suspended:
            return self._make(Action.LEAVE, Reason.SUSPENDED)
        if self._unreadable is not None:
            return self._make(Action.REFUSE, Reason.UNREADABLE, problem=self._unreadable)
        if live is not None and live.owner not in (None, policy.owner):
            problem = owned_by_other(self._desired, live.owner or "")
            return self._make(Action.REFUSE, Reason.OWNED_BY_OTHER, problem=problem)
        if live is not None and live.break_glass is not None and live.break_glass.holds(self._now):
            return self._make(Action.LEAVE, Reason.BREAK_GLASS, retry_at=live.break_glass.until)
        if self._last is None:
            return self._first()
        if self._seen is not None and self._seen.drift.fields:
            return self._drifted(self._last, self._seen)
        if self._last.hash != self._desired.hash:
            return self._write(Reason.GIT_CHANGE)
        if self._seen is not None:
            return self._make(Action.LEAVE, Reason.IGNORED, rebase=True)
        return self._make(Action.LEAVE, Reason.UNCHANGED)

    def _first(self) -> Step:
        if self._live is None:
            return self._make(Action.CREATE, Reason.NOT_THERE)
        ours = self._live.owner is not None and self._live.projection is not None
        return self._make(Action.APPLY, Reason.NOT_RECORDED if ours else Reason.ADOPTED)

    def _drifted(self, last: LastApplied, seen: Seen) -> Step:
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
    """Return the problem of an object that another repository has claimed."""
    return Problem(
        code=Code.OWNED_BY_OTHER,
        message=f"it belongs to the GitRepository {owner}",
        hint="Remove it from one of the two repositories.",
        source=desired.source,
        object=str(desired.key),
    )


def _order(step: Step) -> tuple[int, int, ObjectKey]:
    if step.desired is None:
        return (0, stage_of(step.key.group_kind), step.key)
    return (step.desired.wave, step.desired.stage, step.key)
