"""The event types that Nopea emits, and their names in each version of the CDEvents specification.

Each type has a version of its own, so every name is written here in full.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final


class SpecVersion(enum.StrEnum):
    """A released CDEvents specification. Their keys differ: an event follows one of them."""

    V0_5_1 = "0.5.1"
    V0_4_1 = "0.4.1"


class EventType(enum.Enum):
    """What happened; the value is subject and predicate, which are the same in all versions."""

    TASKRUN_STARTED = "taskrun.started"
    TASKRUN_FINISHED = "taskrun.finished"
    SERVICE_DEPLOYED = "service.deployed"
    SERVICE_UPGRADED = "service.upgraded"
    SERVICE_ROLLEDBACK = "service.rolledback"
    SERVICE_PUBLISHED = "service.published"
    SERVICE_REMOVED = "service.removed"
    ENVIRONMENT_CREATED = "environment.created"
    ENVIRONMENT_MODIFIED = "environment.modified"
    ENVIRONMENT_DELETED = "environment.deleted"
    INCIDENT_DETECTED = "incident.detected"
    INCIDENT_RESOLVED = "incident.resolved"
    DRIFT_DETECTED = "nopea-drift.detected"
    DRIFT_HEALED = "nopea-drift.healed"
    REPOSITORY_RELEASED = "nopea-gitrepository.released"

    def spelled(self, version: SpecVersion) -> str:
        """Return `context.type`, which is the CloudEvents attribute `type` too."""
        spelling = _SPELLINGS[self]
        return spelling.at_0_5_1 if version is SpecVersion.V0_5_1 else spelling.at_0_4_1

    @property
    def subject_type(self) -> str:
        """`subject.type`, which 0.4.1 requires and 0.5.1 forbids."""
        return _SPELLINGS[self].subject_type


@dataclass(frozen=True, slots=True)
class _Spelling:
    at_0_5_1: str
    at_0_4_1: str
    subject_type: str


# Custom events: their version must change with the specification they follow, one digit a part.
_SPELLINGS: Final = {
    EventType.TASKRUN_STARTED: _Spelling(
        "dev.cdevents.taskrun.started.0.3.0", "dev.cdevents.taskrun.started.0.2.0", "taskRun"
    ),
    EventType.TASKRUN_FINISHED: _Spelling(
        "dev.cdevents.taskrun.finished.0.3.0", "dev.cdevents.taskrun.finished.0.2.0", "taskRun"
    ),
    EventType.SERVICE_DEPLOYED: _Spelling(
        "dev.cdevents.service.deployed.0.3.0", "dev.cdevents.service.deployed.0.2.0", "service"
    ),
    EventType.SERVICE_UPGRADED: _Spelling(
        "dev.cdevents.service.upgraded.0.3.0", "dev.cdevents.service.upgraded.0.2.0", "service"
    ),
    EventType.SERVICE_ROLLEDBACK: _Spelling(
        "dev.cdevents.service.rolledback.0.3.0", "dev.cdevents.service.rolledback.0.2.0", "service"
    ),
    EventType.SERVICE_PUBLISHED: _Spelling(
        "dev.cdevents.service.published.0.3.0", "dev.cdevents.service.published.0.2.0", "service"
    ),
    EventType.SERVICE_REMOVED: _Spelling(
        "dev.cdevents.service.removed.0.3.0", "dev.cdevents.service.removed.0.2.0", "service"
    ),
    EventType.ENVIRONMENT_CREATED: _Spelling(
        "dev.cdevents.environment.created.0.3.0", "dev.cdevents.environment.created.0.2.0", "environment"
    ),
    EventType.ENVIRONMENT_MODIFIED: _Spelling(
        "dev.cdevents.environment.modified.0.3.0", "dev.cdevents.environment.modified.0.2.0", "environment"
    ),
    EventType.ENVIRONMENT_DELETED: _Spelling(
        "dev.cdevents.environment.deleted.0.3.0", "dev.cdevents.environment.deleted.0.2.0", "environment"
    ),
    EventType.INCIDENT_DETECTED: _Spelling(
        "dev.cdevents.incident.detected.0.3.0", "dev.cdevents.incident.detected.0.2.0", "incident"
    ),
    EventType.INCIDENT_RESOLVED: _Spelling(
        "dev.cdevents.incident.resolved.0.3.0", "dev.cdevents.incident.resolved.0.2.0", "incident"
    ),
    EventType.DRIFT_DETECTED: _Spelling(
        "dev.cdeventsx.nopea-drift.detected.0.1.0", "dev.cdeventsx.nopea-drift.detected.0.0.1", "nopea-drift"
    ),
    EventType.DRIFT_HEALED: _Spelling(
        "dev.cdeventsx.nopea-drift.healed.0.1.0", "dev.cdeventsx.nopea-drift.healed.0.0.1", "nopea-drift"
    ),
    EventType.REPOSITORY_RELEASED: _Spelling(
        "dev.cdeventsx.nopea-gitrepository.released.0.1.0",
        "dev.cdeventsx.nopea-gitrepository.released.0.0.1",
        "nopea-gitrepository",
    ),
}
