"""Which CDEvents a transition causes: at most `MAX_EVENTS`.

Pure. The same transition always gives the same ids, so that consumers, which deduplicate by source and id,
count it once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from nopea.core.cdevents.builder import DriftAs, EventBuilder
from nopea.core.cdevents.event import CDEvent
from nopea.core.cdevents.incidents import drift_events, failing_events
from nopea.core.cdevents.syncs import attempt_events, attempt_of, published
from nopea.core.status.transition import Transition

MAX_EVENTS: Final = 60
_LONGEST_SOURCE: Final = 1024
_URI_REFERENCE: Final = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapper:
    """Maps the transitions of this controller.

    `source` is a URI that no other controller uses; `environment` names all of its environments, by default
    each repository's target namespace; `failing_after` is the number of failures that make an incident.
    Raises ValueError for invalid settings.
    """

    source: str
    environment: str = ""
    drift_as: DriftAs = DriftAs.INCIDENT
    failing_after: int = 3

    def __post_init__(self) -> None:
        if not _URI_REFERENCE.fullmatch(self.source) or len(self.source) > _LONGEST_SOURCE:
            raise ValueError(f"The source must be a URI of at most {_LONGEST_SOURCE} characters.")
        if len(self.environment) > _LONGEST_SOURCE:
            raise ValueError(f"The environment must have at most {_LONGEST_SOURCE} characters.")
        if self.failing_after < 1:
            raise ValueError("an incident begins after at least one failure")

    def events(self, transition: Transition) -> tuple[CDEvent, ...]:
        """Return the events of the transition, in the order of what happened."""
        if not transition.is_reportable and transition.before == transition.after:
            return ()
        builder = EventBuilder(
            source=self.source,
            environment=self.environment,
            drift_as=self.drift_as,
            failing_after=self.failing_after,
            transition=transition,
        )
        drifts = drift_events(builder)
        following = [*published(builder), *failing_events(builder), *drifts.events]
        attempt = attempt_of(builder)
        if attempt is None:
            return tuple(following)
        room = MAX_EVENTS - len(following)
        return (*attempt_events(builder, attempt, room=room, left_out=drifts.left_out), *following)
