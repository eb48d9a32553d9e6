"""The values of a plan: what is known of an object, what is done to it and why."""

from __future__ import annotations

import enum
from collections.abc import Mapping
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
from nopea.core.problem import Problem

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
class ObservedObject:
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
class ObservedDrift:
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
    live: ObservedObject | None = None
    problem: Problem | None = None
    seen: ObservedDrift | None = None
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
        return [list(batch) for _, batch in groupby(writing, key=lambda step: order_of(step)[:2])]

    def prunes(self) -> list[list[Step]]:
        """Return the prunes in batches, what others need last."""
        pruning = sorted((step for step in self.steps if step.action is Action.PRUNE), key=order_of)
        batches = [list(batch) for _, batch in groupby(pruning, key=lambda step: order_of(step)[:2])]
        return batches[::-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterState:
    """What is known outside Git: the live objects, what was applied last, and a closer look at suspects.

    An `unreadable` object may be under break-glass or another repository's: it is refused.
    """

    observed: Mapping[ObjectKey, ObservedObject] = field(default_factory=dict)
    last_applied: Mapping[ObjectKey, LastApplied] = field(default_factory=dict)
    seen: Mapping[ObjectKey, ObservedDrift] = field(default_factory=dict)
    unreadable: Mapping[ObjectKey, Problem] = field(default_factory=dict)
    heal_at: Mapping[ObjectKey, datetime] = field(default_factory=dict)
    """When an object that is fought over may be healed again (`core/plan/contention.py`)."""


def order_of(step: Step) -> tuple[int, int, ObjectKey]:
    """Return where a step stands: wave, stage, object; what Git no longer declares is in wave 0."""
    if step.desired is None:
        return (0, stage_of(step.key.group_kind), step.key)
    return (step.desired.wave, step.desired.stage, step.key)
