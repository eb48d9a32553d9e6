"""The report of one reconciliation. Status, Events, the log line, metrics and history are views of it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from nopea.core.api.entries import ChartEntry
from nopea.core.api.pin import Pin
from nopea.core.git.source import Commit
from nopea.core.health.condition import HealthSummary
from nopea.core.objects import ObjectKey, RepoKey
from nopea.core.plan.model import Action, ObservedDrift, Reason
from nopea.core.plan.prune import PruneReason
from nopea.core.problem import Code, Problem


class Outcome(enum.StrEnum):
    """The outcome of one object."""

    CREATED = "created"
    CONFIGURED = "configured"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"  # not changed on purpose: policy, break-glass
    PRUNED = "pruned"
    FAILED = "failed"


class Result(enum.StrEnum):
    """The outcome of a whole reconciliation."""

    SYNCED = "synced"
    FAILED = "failed"
    SUSPENDED = "suspended"
    DELETED = "deleted"  # the GitRepository is being deleted and nothing holds it
    PLANNED = "planned"  # the process runs read-only: nothing was written
    SUPERSEDED = "superseded"  # there is a newer commit or spec; the next reconciliation starts over


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectResult:
    """One object's outcome; `problem` is set exactly when it failed.

    `declared` is False for an object that is not in Git. `seen` is the drift that was found in it. `left`
    means that the object was applied and its drift stays: only the fields that Git changed were applied.
    `removed` are the paths of live fields that an adoption removed or reset. `leftovers` are the paths of
    fields that Git dropped and that stay, each with the manager that owns it as well. `admission` are the
    changes that admission made, if they were not there before: `.spec.image web:1 → mirror.example/web:1`.
    """

    key: ObjectKey
    outcome: Outcome
    problem: Problem | None = None
    reason: Reason = Reason.UNCHANGED
    seen: ObservedDrift | None = None
    retry_at: datetime | None = None
    declared: bool = True
    left: bool = False
    removed: tuple[str, ...] = ()
    leftovers: tuple[tuple[str, str], ...] = ()
    admission: tuple[str, ...] = ()
    kept: PruneReason | None = None
    """Why an object that Git no longer declares stays."""
    planned: Action | None = None
    """What a sync would do with the object, if this one had not been read-only."""
    api_version: str = ""
    uid: str = ""
    """Those of the stored object, if it was applied."""

    @property
    def drifts(self) -> bool:
        """True when the object drifted and the drift is still there."""
        stays = self.left or self.outcome in (Outcome.SKIPPED, Outcome.FAILED)
        return stays and bool(self.seen and self.seen.drift.fields)

    @property
    def healed(self) -> bool:
        """True when drift was found and reverted."""
        fixed = not self.left and self.outcome in (Outcome.CREATED, Outcome.CONFIGURED)
        return fixed and bool(self.seen and self.seen.drift.fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileReport:
    """A reconciliation and its outcome. `problems` holds all problems, in the order in which they were found.

    `commit` is the commit that was reconciled, None when it could not be fetched.
    """

    id: str
    generation: int
    triggers: tuple[str, ...]
    started_at: datetime
    result: Result = Result.SYNCED
    commit: Commit | None = None
    revision: str = ""
    """The commit as users know it: `main@sha1:c0ffee0`."""
    chart: ChartEntry | None = None
    """The chart that was rendered, if it is not in Git."""
    objects: tuple[ObjectResult, ...] = ()
    problems: tuple[Problem, ...] = ()
    seconds: float = 0.0
    handled_sync_at: str = ""
    handled_heal_at: str = ""
    pin: Pin | None = None
    """The pin that holds the repository at `commit`, or should."""
    health: HealthSummary | None = None
    rivals: str = ""
    """The contention, in sentences; empty when there is none."""
    unwatched: Mapping[str, str] = field(default_factory=dict)
    """Where applied objects cannot be watched, as `deployments.apps in shop`, and why if not for rights."""
    why_objects_stay: str = ""
    """Why a deleted GitRepository leaves all its objects; empty if they were deleted with it."""
    contested: tuple[tuple[ObjectKey, RepoKey], ...] = ()
    """Objects that another repository declares as well."""
    without_git: bool = False
    """True when Git was not asked for a newer commit, because the known one was enough."""
    read_only: bool = False
    """True when the process may only plan."""
    is_published: bool = True
    """False when the status could not be written, so that nobody can read it."""
    notes: tuple[str, ...] = ()
    """What the rendering tells users, in sentences."""
    inventory: str = ""
    """The packed inventory for the status; empty when it is in Inventory objects."""

    def count(self, *outcomes: Outcome) -> int:
        """Return how many objects had one of the outcomes."""
        return sum(1 for result in self.objects if result.outcome in outcomes)

    @property
    def changed(self) -> bool:
        """True when the reconciliation changed the cluster."""
        return self.count(Outcome.CREATED, Outcome.CONFIGURED, Outcome.PRUNED) > 0

    @property
    def retry_at(self) -> datetime | None:
        """When a skipped object may be written although nothing else changed."""
        times = [result.retry_at for result in self.objects if result.retry_at is not None]
        return min(times) if times else None

    @property
    def transient(self) -> bool:
        """True when every problem may go away without a person."""
        return all(problem.code.transient for problem in self.problems)

    @property
    def codes(self) -> tuple[Code, ...]:
        """The distinct problem codes, in the order in which they were found."""
        return tuple(dict.fromkeys(problem.code for problem in self.problems))
