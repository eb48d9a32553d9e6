"""The values of a plan: what is known about an object, which action is taken, and why."""

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
from nopea.core.plan.prune import PruneReason
from nopea.core.problem import Problem

UNKNOWN_HEALTH = Health(status=HealthStatus.UNKNOWN)


class Action(enum.StrEnum):
    """What Nopea does with an object."""

    CREATE = "create"
    APPLY = "apply"
    LEAVE = "leave"
    PRUNE = "prune"
    REFUSE = "refuse"


class Reason(enum.StrEnum):
    """Why Nopea takes an action."""

    NOT_THERE = "not there"
    GIT_CHANGE = "git change"
    MANUAL_DRIFT = "manual drift"
    CONFLICT = "conflict"
    ADOPTED = "adopted"
    NOT_RECORDED = "not recorded"
    """It carries our label but is not in the inventory: a crash came between the apply and the record."""
    UNCHANGED = "unchanged"
    ADMISSION = "changed at admission"
    """Admission changed what the last apply sent: it is applied again, in case admission has stopped."""
    IGNORED = "ignored field"
    FINISHED = "finished"
    """A Job that ran to its end with this manifest and was removed since: its work is done."""
    POLICY = "policy"
    GRACE = "inside the grace period"
    CONTENDED = "contended"
    BREAK_GLASS = "break-glass"
    OWNED_BY_OTHER = "owned by another GitRepository"
    UNREADABLE = "cannot be read"
    REJECTED = "rejected by the API server"
    """A dry run was refused, as the apply would be."""
    GONE_FROM_GIT = "gone from Git"
    KEPT = "kept"
    READ_ONLY = "read-only"
    """Nopea runs read-only, and would write the object otherwise."""
    PRUNE_REFUSED = "pruning refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakGlass:
    """The annotations that protect one live object from every write; `until` is None when there is no end."""

    until: datetime | None = None

    def holds(self, now: datetime) -> bool:
        """Return whether the object must not be written at this time."""
        return self.until is None or now < self.until


class Finish(enum.StrEnum):
    """How a Job ended."""

    COMPLETE = "Complete"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedObject:
    """The facts about a live object that a plan needs; `owner` is its ownership label, None without one.

    `projection` is the hash of `core/apply/projection.py`, None when the object has no Apply entry of ours.
    `finish` is None for a Job that has not ended, and for every other kind.
    """

    owner: str | None
    resource_version: str
    uid: str = ""
    projection: str | None = None
    break_glass: BreakGlass | None = None
    prune: str | None = None
    terminating: bool = False
    health: Health = UNKNOWN_HEALTH
    finish: Finish | None = None

    @property
    def facts(self) -> tuple[object, ...]:
        """What a decision about the object depends on: everything but its version and its state."""
        return (self.uid, self.owner, self.projection, self.break_glass, self.prune, self.finish)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a Job ended, and `Desired.content` of what it ran; empty if the key of the hash is another one."""

    how: Finish
    manifest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LastApplied:
    """The record of our last successful apply of an object; the inventory keeps it across restarts.

    `hash` is the hash of the desired manifest, empty if it is not known. `projection` is the baseline of the
    live object, or None when drift was left in it. Both have the key of the installation. `admission` is the
    digest of the fields that admission changed (`core/drift/admission.py`), empty if there were none.
    `finished` is set once a Job has run to its end.
    """

    hash: str
    projection: str | None
    commit: str = ""
    admission: str = ""
    finished: Finished | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedDrift:
    """The drift found in an object whose projection differs from the baseline.

    `kept` lists the drifted fields that Git did not change. `since` is when the drift began; without
    `is_dated` that is not known, and it is when the drift was found.
    """

    drift: Drift
    since: datetime
    is_dated: bool = True
    kept: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the spec and the users' requests allow Nopea to write."""

    owner: str
    heal: HealPolicy = HealPolicy.AUTO
    grace: timedelta = timedelta(0)
    heal_requested: bool = False
    """A user requested a sync or a heal. Under `manual` and `notify`, that heals, see `docs/drift.md`."""
    heal_objects: frozenset[ObjectKey] = frozenset()
    """The objects whose healing a user requested."""

    retries_admission: bool = False
    """What admission changed is applied again: a user requested a sync, or the last try is long ago."""

    def heals(self, key: ObjectKey) -> bool:
        """Return whether manual drift of this object may be reverted."""
        return self.heal is HealPolicy.AUTO or self.is_asked_to_heal(key)

    def is_asked_to_heal(self, key: ObjectKey) -> bool:
        """Return whether a user requested it; then no grace period applies."""
        return self.heal_requested or key in self.heal_objects


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One object, one action, one reason.

    An apply leaves the fields in `keep` unchanged. With `rebase`, the live projection becomes the baseline.
    `retry_at` is when the decision may change although nothing else did.
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
    kept: PruneReason | None = None
    """Why an object that Git no longer declares stays."""

    @property
    def is_migration(self) -> bool:
        """True when it adopts an object that Nopea has never applied: another tool may have deployed it."""
        return self.reason is Reason.ADOPTED and self.live is not None and self.live.projection is None

    @property
    def writes(self) -> bool:
        """True when executing the step applies the object."""
        return self.action in (Action.CREATE, Action.APPLY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All steps of a reconciliation in apply order. Objects that are not in Git are in wave 0."""

    steps: tuple[Step, ...]

    def groups(self) -> list[list[Step]]:
        """Return the steps that apply, in batches. The steps of one batch run concurrently."""
        writing = [step for step in self.steps if step.writes]
        return [list(batch) for _, batch in groupby(writing, key=lambda step: order_of(step)[:2])]

    def prunes(self) -> list[list[Step]]:
        """Return the steps that prune, in batches and in reverse apply order."""
        pruning = sorted((step for step in self.steps if step.action is Action.PRUNE), key=order_of)
        batches = [list(batch) for _, batch in groupby(pruning, key=lambda step: order_of(step)[:2])]
        return batches[::-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterState:
    """What is known outside Git: live objects, what was applied last, and the drift that was found.

    An `unreadable` object may be under break-glass or belong to another repository, so it is refused.
    """

    observed: Mapping[ObjectKey, ObservedObject] = field(default_factory=dict)
    last_applied: Mapping[ObjectKey, LastApplied] = field(default_factory=dict)
    seen: Mapping[ObjectKey, ObservedDrift] = field(default_factory=dict)
    unreadable: Mapping[ObjectKey, Problem] = field(default_factory=dict)
    away: frozenset[ObjectKey] = frozenset()
    """Applied objects of which nothing is known: their kind is defined, and not served at the moment."""
    heal_at: Mapping[ObjectKey, datetime] = field(default_factory=dict)
    """When a contended object may be healed again (`contention.py`)."""


def order_of(step: Step) -> tuple[int, int, ObjectKey]:
    """Return the apply order of a step: wave, stage, object. Objects that are not in Git are in wave 0."""
    if step.desired is None:
        return (0, stage_of(step.key.group_kind), step.key)
    return (step.desired.wave, step.desired.stage, step.key)
