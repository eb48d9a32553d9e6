"""What a sync has done so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from nopea.core.objects import ObjectKey
from nopea.core.plan.model import LastApplied, ObservedObject, Reason
from nopea.core.problem import Problem
from nopea.core.status.report import ObjectResult, Outcome


@dataclass(slots=True)
class Execution:
    """What has been done so far; readable at any time, also after the sync was stopped."""

    results: dict[ObjectKey, ObjectResult] = field(default_factory=dict)
    applied: dict[ObjectKey, LastApplied] = field(default_factory=dict)
    gone: set[ObjectKey] = field(default_factory=set)
    left: dict[ObjectKey, ObservedObject | None] = field(default_factory=dict)
    """The objects that were skipped or keep some drift, as they were when that was decided."""
    superseded: bool = False
    halt: Problem | None = None
    """Why nothing more is started: the API server is gone, or a Job failed that the rest waits for."""

    @property
    def stopped(self) -> bool:
        """True when no further object may be started."""
        return self.superseded or self.halt is not None

    @property
    def went_well(self) -> bool:
        """True while nothing failed and nothing was interrupted; protected objects do not count."""
        return not self.stopped and not any(
            one.outcome is Outcome.FAILED and one.reason is not Reason.PRUNE_REFUSED
            for one in self.results.values()
        )
