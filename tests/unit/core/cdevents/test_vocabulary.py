"""Every event type as written in both versions of the specification."""

from __future__ import annotations

import re

from nopea.core.cdevents.vocabulary import EventType, SpecVersion

NEW, OLD = SpecVersion.V0_5_1, SpecVersion.V0_4_1
STANDARD = {
    "taskrun.started": "taskRun",
    "taskrun.finished": "taskRun",
    "service.deployed": "service",
    "service.upgraded": "service",
    "service.rolledback": "service",
    "service.published": "service",
    "service.removed": "service",
    "environment.created": "environment",
    "environment.modified": "environment",
    "environment.deleted": "environment",
    "incident.detected": "incident",
    "incident.resolved": "incident",
}
CUSTOM = {
    "nopea-drift.detected": "nopea-drift",
    "nopea-drift.healed": "nopea-drift",
    "nopea-gitrepository.released": "nopea-gitrepository",
}


def test_standard_types() -> None:
    """In 0.4.1 each type is one minor version older."""
    for name, subject in STANDARD.items():
        type_ = EventType(name)
        assert type_.spelled(NEW) == f"dev.cdevents.{name}.0.3.0"
        assert type_.spelled(OLD) == f"dev.cdevents.{name}.0.2.0"
        assert type_.subject_type == subject


def test_custom_types() -> None:
    """Custom types have a version of their own in each version of the specification."""
    for name, subject in CUSTOM.items():
        type_ = EventType(name)
        assert type_.spelled(NEW) == f"dev.cdeventsx.{name}.0.1.0"
        assert type_.spelled(OLD) == f"dev.cdeventsx.{name}.0.0.1"
        assert type_.subject_type == subject
        assert re.fullmatch(r"dev\.cdeventsx\.[a-z]+-[a-z]+\.[a-z]+\.\d\.\d\.\d", type_.spelled(NEW))


def test_there_are_no_other_types() -> None:
    """The two tables of this file contain all event types."""
    assert {one.value for one in EventType} == STANDARD.keys() | CUSTOM.keys()
