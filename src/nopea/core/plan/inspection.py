"""A plan compared with the cluster: what a sync would do now."""

from __future__ import annotations

from dataclasses import dataclass

from nopea.core.plan.model import Action, Reason
from nopea.core.plan.object_diff import ObjectDiff
from nopea.core.problem import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What a sync would do now. `problems` are all of them: of Git, of rendering, and of objects."""

    objects: tuple[ObjectDiff, ...]
    problems: tuple[Problem, ...]

    @property
    def differs(self) -> bool:
        """True when the cluster differs from Git."""
        return any(one.differs for one in self.objects)

    @property
    def would_change(self) -> bool:
        """True when a sync would change the cluster."""
        return any(one.would_change for one in self.objects)

    @property
    def is_refused(self) -> bool:
        """True when an object is refused, or something cannot be planned."""
        return bool(self.problems) or any(one.step.action is Action.REFUSE for one in self.objects)

    @property
    def is_complete(self) -> bool:
        """False when something could not be read, in Git or in the cluster."""
        refused = {one.step.problem for one in self.objects if one.step.reason is not Reason.UNREADABLE}
        return all(problem in refused for problem in self.problems)
