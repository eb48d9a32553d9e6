"""Which CDEvents a repository's step is: none, some, never more than `MAX_EVENTS`.

A pure function of the step. The same step told twice gives the same ids, so that consumers, who deduplicate
on source and id, count it once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from nopea.core.cdevents.event import CDEvent
from nopea.core.cdevents.incidents import drift_tale, failing_events
from nopea.core.cdevents.passes import attempt_events, attempt_of, published
from nopea.core.cdevents.scene import DriftAs, Scene
from nopea.core.status.transition import Transition

MAX_EVENTS: Final = 60
_LONGEST_SOURCE: Final = 1024
_URI_REFERENCE: Final = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapper:
    """How this controller tells its steps.

    `source` is a URI that no other controller uses; `environment` names all of its environments, by default
    each repository's target namespace; `failing_after` is the number of failures that are an incident.
    Raises ValueError for settings that no event could be made with.
    """

    source: str
    environment: str = ""
    drift_as: DriftAs = DriftAs.INCIDENT
    failing_after: int = 3

    def __post_init__(self) -> None:
        if not _URI_REFERENCE.fullmatch(self.source) or len(self.source) > _LONGEST_SOURCE:
            raise ValueError(f"the source must be a URI of at most {_LONGEST_SOURCE} characters")
        if len(self.environment) > _LONGEST_SOURCE:
            raise ValueError(f"the environment has at most {_LONGEST_SOURCE} characters")
        if self.failing_after < 1:
            raise ValueError("an incident begins after at least one failure")

    def events(self, transition: Transition) -> tuple[CDEvent, ...]:
        """Return the step's events, in the order of what happened."""
        if not transition.is_news and transition.before == transition.after:
            return ()
        scene = Scene(
            source=self.source,
            environment=self.environment,
            drift_as=self.drift_as,
            failing_after=self.failing_after,
            transition=transition,
        )
        drifts = drift_tale(scene)
        later = [*published(scene), *failing_events(scene), *drifts.events]
        attempt = attempt_of(scene)
        if attempt is None:
            return tuple(later)
        room = MAX_EVENTS - len(later)
        return (*attempt_events(scene, attempt, room=room, left_out=drifts.left_out), *later)
