"""What a pass did: the value from which status, Events, the log line and history are views."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime

from nopea.core.api.pin import Pin
from nopea.core.api.status import InventoryEntry
from nopea.core.git.source import Commit
from nopea.core.health.condition import HealthSummary
from nopea.core.objects import ObjectKey, RepoKey
from nopea.core.plan.model import ObservedDrift, Reason
from nopea.core.problem import Code, Problem


class Outcome(enum.StrEnum):
    """What became of one object in a pass."""

    CREATED = "created"
    CONFIGURED = "configured"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"  # left alone on purpose: policy, break-glass, suspended
    PRUNED = "pruned"
    FAILED = "failed"


class Result(enum.StrEnum):
    """What became of the whole pass."""

    SYNCED = "synced"
    FAILED = "failed"
    SUSPENDED = "suspended"
    DELETED = "deleted"  # the GitRepository is being deleted, and nothing holds it any more
    SUPERSEDED = "superseded"  # a newer commit or spec was learned of; the next pass starts over


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectResult:
    """One object's outcome; `problem` is set exactly when it failed.

    `declared` is False for what Git does not want any more; `seen` is the drift that was met in it. `left`
    says that the object was written and the drift stays: Git won on the fields that Git changed only.
    """

    key: ObjectKey
    outcome: Outcome
    problem: Problem | None = None
    reason: Reason = Reason.UNCHANGED
    seen: ObservedDrift | None = None
    retry_at: datetime | None = None
    declared: bool = True
    left: bool = False

    @property
    def drifts(self) -> bool:
        """True when the object drifted and was left or could not be put right."""
        stays = self.left or self.outcome in (Outcome.SKIPPED, Outcome.FAILED)
        return stays and bool(self.seen and self.seen.drift.fields)

    @property
    def healed(self) -> bool:
        """True when drift was met and put right."""
        fixed = not self.left and self.outcome in (Outcome.CREATED, Outcome.CONFIGURED)
        return fixed and bool(self.seen and self.seen.drift.fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileReport:
    """An executed pass. `problems` holds all of it: files, kinds, objects, Git; in the order of finding.

    `commit` is the one that was looked at, None when Git did not get that far.
    """

    id: str
    generation: int
    triggers: tuple[str, ...]
    started_at: datetime
    result: Result = Result.SYNCED
    commit: Commit | None = None
    objects: tuple[ObjectResult, ...] = ()
    problems: tuple[Problem, ...] = ()
    seconds: float = 0.0
    handled_sync_at: str = ""
    handled_heal_at: str = ""
    pin: Pin | None = None
    """What held the repository at `commit`, or should have."""
    health: HealthSummary | None = None
    rivals: str = ""
    """Who changes objects back again and again, in a sentence; empty in peace."""
    contested: tuple[tuple[ObjectKey, RepoKey], ...] = ()
    """Objects that another repository declares too."""
    without_git: bool = False
    """True when the commit that was known already answered: Git was not asked for a newer one."""
    inventory: tuple[InventoryEntry, ...] = ()
    """What the status holds of it: nothing when it is in Inventory objects."""

    def count(self, *outcomes: Outcome) -> int:
        """Return how many objects had one of the outcomes."""
        return sum(1 for one in self.objects if one.outcome in outcomes)

    @property
    def changed(self) -> bool:
        """True when the pass changed the cluster."""
        return self.count(Outcome.CREATED, Outcome.CONFIGURED, Outcome.PRUNED) > 0

    @property
    def retry_at(self) -> datetime | None:
        """When an object that was left alone may be written without anything having changed."""
        times = [one.retry_at for one in self.objects if one.retry_at is not None]
        return min(times) if times else None

    @property
    def transient(self) -> bool:
        """True when every problem may go away by itself."""
        return all(problem.code.transient for problem in self.problems)

    @property
    def codes(self) -> tuple[Code, ...]:
        """The distinct problem codes, in the order of finding."""
        return tuple(dict.fromkeys(problem.code for problem in self.problems))
