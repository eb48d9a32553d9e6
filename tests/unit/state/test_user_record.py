"""The record of writes: of managed objects only, bounded, and without values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from nopea.core.drift.find import Drift, FieldDrift
from nopea.core.drift.three_way import DriftKind
from nopea.core.objects import ObjectKey
from nopea.core.users.write import ReportedObject, Review
from nopea.state.user_record import UserRecord, nobody

AT = datetime(2026, 11, 25, 13, 11, 25, tzinfo=UTC)


def config_map(name: str = "web", **data: str) -> dict[str, Any]:
    """Return a live ConfigMap; its uid is its name."""
    return {"metadata": {"name": name, "uid": name}, "data": data}


def review(
    old: dict[str, Any],
    new: dict[str, Any] | None,
    *,
    user: str = "ada",
    plural: str = "configmaps",
    namespace: str = "shop",
) -> Review:
    """Return a report of a change, or of a deletion."""
    request = {
        "uid": "1", "operation": "UPDATE" if new else "DELETE", "namespace": namespace,
        "resource": {"group": "", "version": "v1", "resource": plural}, "name": old["metadata"]["name"],
        "userInfo": {"username": user}, "object": new, "oldObject": old,
    }  # fmt: skip
    return Review(orjson.dumps({"apiVersion": "admission.k8s.io/v1", "request": request}))


def key_of(name: str) -> ObjectKey:
    """Return the identity of a ConfigMap."""
    return ObjectKey("", "ConfigMap", "shop", name)


def find(place: ReportedObject) -> tuple[ObjectKey, str] | None:
    """Know every ConfigMap, as the object cache does."""
    key = ObjectKey("", "ConfigMap", place.namespace, place.name)
    return (key, place.name) if place.plural == "configmaps" else None


def removed(*keys: str) -> Drift:
    """Return the drift of a field that was removed; without keys, of an object that was deleted."""
    field = FieldDrift(
        path=".", keys=keys, from_="blue", to=None, manager="", operation="", subresource="", changed_at=None
    )
    return Drift(kind=DriftKind.MANUAL_DRIFT, fields=(field,))


COLOUR = removed("f:data", "f:colour")


def user_of(
    record: UserRecord, drift: Drift, live: dict[str, Any] | None, name: str = "web", at: datetime = AT
) -> str:
    """Return who is named."""
    return record.attribute(key_of(name), drift, live, at=at).fields[0].user


def test_a_reported_write_is_attributed() -> None:
    """The removal of a field has a user."""
    record = UserRecord(find)
    assert record.take(review(config_map(colour="blue"), config_map()), at=AT)

    assert user_of(record, COLOUR, config_map()) == "ada"
    assert user_of(record, COLOUR, config_map("other"), "other") == ""


def test_only_managed_objects_are_recorded() -> None:
    """Neither other kinds nor another object of the same name."""
    record = UserRecord(find)
    assert not record.take(review(config_map(colour="blue"), config_map(), plural="secrets"), at=AT)
    another = {**config_map(colour="blue"), "metadata": {"name": "web", "uid": "another"}}
    assert not record.take(review(another, config_map()), at=AT)
    assert not nobody().take(review(config_map(colour="blue"), config_map()), at=AT)

    assert user_of(record, COLOUR, config_map()) == ""


def test_a_deletion_is_forgotten_when_the_object_is_applied() -> None:
    """The next deletion may not be reported, and is somebody else's."""
    record = UserRecord(find)
    record.take(review(config_map(), None), at=AT)
    assert user_of(record, removed(), None) == "ada"

    record.applied([key_of("web"), key_of("other")])
    assert user_of(record, removed(), None) == ""


def test_a_deletion_is_believed_if_the_object_was_seen_to_go() -> None:
    """However late its absence is noticed; without that, a report of long ago may have been refused."""
    later = AT + timedelta(hours=1)
    record = UserRecord(find)
    record.take(review(config_map(), None), at=AT)
    record.deleted(key_of("web"), at=AT + timedelta(seconds=1), uid="another")
    record.deleted(key_of("web"), at=AT + timedelta(seconds=1), uid="web")
    record.deleted(key_of("unknown"), at=AT, uid="u")
    assert user_of(record, removed(), None, at=later) == "ada"

    record.take(review(config_map("other"), None), at=AT)
    assert user_of(record, removed(), None, "other", at=later) == ""


def test_the_record_is_bounded() -> None:
    """Objects that nobody wrote for the longest time go first."""
    record = UserRecord(find, most=60)
    for number in range(100):
        record.take(review(config_map(str(number), colour="blue"), config_map(str(number))), at=AT)
    assert user_of(record, COLOUR, config_map("99"), "99") == "ada"
    assert user_of(record, COLOUR, config_map("1"), "1") == ""


def test_a_namespace_cannot_push_out_the_record_of_another() -> None:
    """Whoever may label objects in one namespace can have any number of writes reported."""
    record = UserRecord(find, most=500)
    record.take(review(config_map(colour="blue"), config_map()), at=AT)
    many = {str(number): "x" for number in range(200)}
    for number in range(20):
        name = f"big-{number}"
        record.take(review(config_map(name, **many), config_map(name), namespace="evil"), at=AT)

    assert user_of(record, COLOUR, config_map()) == "ada"
    key = ObjectKey("", "ConfigMap", "evil", "big-19")
    assert (
        record.attribute(key, removed("f:data", "f:7"), config_map("big-19"), at=AT).fields[0].user == "ada"
    )
