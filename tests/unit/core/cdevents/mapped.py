"""What the tests of the mapping share: a mapper, the events of a step in short, and every check of them."""

from __future__ import annotations

import json
from typing import Any

from tests.fakes.cdevents import MAX_MESSAGE, check, has_reference, official_errors

from nopea.core.cdevents.event import CDEvent, to_json
from nopea.core.cdevents.mapping import MAX_EVENTS, Mapper
from nopea.core.cdevents.vocabulary import EventType, SpecVersion
from nopea.core.status.transition import Transition

SOURCE = "https://nopea.acme.example/clusters/eu1"
MAPPER = Mapper(source=SOURCE)
SERVICE = "gitrepository/shop/api"
Type = EventType
ATTEMPT = [Type.TASKRUN_STARTED, Type.TASKRUN_FINISHED]


def events(step: Transition, mapper: Mapper = MAPPER) -> tuple[CDEvent, ...]:
    """Return the step's events, each of which a strict consumer takes in both shapes.

    Where the official schemas are, each is valid by them too.
    """
    told = mapper.events(step)
    assert len(told) <= MAX_EVENTS
    assert mapper.events(step) == told, "the same step told twice is told the same"
    assert len({one.id for one in told}) == len(told)
    for one in told:
        for version in SpecVersion:
            raw = to_json(one, version)
            assert check(raw, version.value) == []
            assert len(raw) < MAX_MESSAGE
        if has_reference():
            assert official_errors(to_json(one)) == []
    return told


def types(step: Transition, mapper: Mapper = MAPPER) -> list[EventType]:
    """Return what the step's events are about, in order."""
    return [one.type for one in events(step, mapper)]


def only(step: Transition, type_: EventType, mapper: Mapper = MAPPER) -> CDEvent:
    """Return the one event of this type."""
    (found,) = [one for one in events(step, mapper) if one.type is type_]
    return found


def facts(event: CDEvent) -> dict[str, Any]:
    """Return our own facts as a consumer reads them."""
    told: dict[str, Any] = json.loads(to_json(event))["customData"]["nopea"]
    return told


def linked(event: CDEvent) -> list[str]:
    """Return the ids that an event links to."""
    return [link.context_id for link in event.links]
