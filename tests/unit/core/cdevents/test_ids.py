"""Ids of events and chains that are derived from what they describe."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from nopea.core.cdevents.ids import chain_id, event_id, service_event_id
from nopea.core.cdevents.vocabulary import EventType

DETECTED, RESOLVED = EventType.INCIDENT_DETECTED, EventType.INCIDENT_RESOLVED


def test_the_same_occurrence_has_the_same_id() -> None:
    """Every process derives the same id, so consumers can drop duplicates."""
    assert event_id(DETECTED, "uid-1", "x") == event_id(DETECTED, "uid-1", "x")
    assert event_id(DETECTED, "uid-1", "x") == "0b66aa5e-dda0-5ac5-8f06-701b57323308"
    assert chain_id("uid-1", "x") == "338eb421-dcda-4641-ac12-a4d072b7c7c3"


@given(st.lists(st.text(), min_size=1, max_size=4), st.lists(st.text(), min_size=1, max_size=4))
def test_other_occurrences_have_other_ids(one: list[str], other: list[str]) -> None:
    """Ids depend on each part of the seed and on where the parts end."""
    assert (event_id(DETECTED, *one) == event_id(DETECTED, *other)) == (one == other)
    assert (chain_id(*one) == chain_id(*other)) == (one == other)


def test_ids_depend_on_the_type() -> None:
    """The start and the end of one incident have different ids; a service event has an id of its own."""
    assert event_id(DETECTED, "uid-1", "x") != event_id(RESOLVED, "uid-1", "x")
    assert service_event_id("uid-1", "x") not in {event_id(one, "uid-1", "x") for one in EventType}


@given(st.text())
def test_chains_are_shaped_as_uuid_4(seed: str) -> None:
    """CDEvents requires chain ids to be UUIDs of version 4."""
    chain = UUID(chain_id(seed))

    assert (chain.version, chain.variant) == (4, "specified in RFC 4122")
