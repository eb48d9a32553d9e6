"""Helpers for the tests of the mapper: its events, checked, and their parts."""

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
    """Return the events of a transition after checking that a strict consumer accepts each in both versions.

    If the official schemas are present, each event is checked by them too.
    """
    found = mapper.events(step)
    assert len(found) <= MAX_EVENTS
    assert mapper.events(step) == found, "the same step told twice is told the same"
    assert len({one.id for one in found}) == len(found)
    for one in found:
        for version in SpecVersion:
            raw = to_json(one, version)
            assert check(raw, version.value) == []
            assert len(raw) < MAX_MESSAGE
        if has_reference():
            assert official_errors(to_json(one)) == []
    return found


def types(step: Transition, mapper: Mapper = MAPPER) -> list[EventType]:
    """Return the types of the events, in order."""
    return [one.type for one in events(step, mapper)]


def only(step: Transition, type_: EventType, mapper: Mapper = MAPPER) -> CDEvent:
    """Return the only event of this type."""
    (found,) = [one for one in events(step, mapper) if one.type is type_]
    return found


def facts(event: CDEvent) -> dict[str, Any]:
    """Return the custom data of an event as a consumer reads it."""
    found: dict[str, Any] = json.loads(to_json(event))["customData"]["nopea"]
    return found


def linked(event: CDEvent) -> list[str]:
    """Return the ids of the events to which an event links."""
    return [link.context_id for link in event.links]
