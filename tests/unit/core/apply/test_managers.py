"""Which other managers own a field."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from tests.unit.core.apply.owned import JSON, TIME, entry

from nopea.core.apply.managers import UNKNOWN, owner_of, owners_beside, owners_of


def test_an_entry_is_read() -> None:
    """An owner has manager, operation, subresource and a time with a zone."""
    owner = owner_of(entry({"f:a": {}}, manager="kubectl", operation="Update", subresource="scale"))
    assert (owner.manager, owner.operation, owner.subresource) == ("kubectl", "Update", "scale")
    assert owner.changed_at == datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    assert owner.owns(("f:a",))


@pytest.mark.parametrize("time", [None, "", "yesterday", 7, [], "2026-13-01T00:00:00Z"])
def test_a_missing_or_invalid_time_is_none(time: Any) -> None:
    """The API server records no time for a scale, and a time may be invalid."""
    assert owner_of(entry({}, time=time)).changed_at is None


def test_a_time_without_zone_is_utc() -> None:
    """A time without a zone counts as UTC."""
    assert owner_of(entry({}, time="2026-03-04T05:06:07")).changed_at == owner_of(entry({})).changed_at


def test_the_latest_owner_comes_first() -> None:
    """Our own entry is not among the owners; owners without a time come last."""
    ours = entry({"f:a": {}})
    entries = [
        entry({"f:a": {}}, manager="old", time="2020-01-01T00:00:00Z"),
        entry({"f:a": {"f:b": {}}}, manager="timeless", time=None),
        ours,
        entry({"f:x": {}}, manager="elsewhere"),
        entry({"f:a": {".": {}}}, manager="new", time=TIME),
        "nonsense",
    ]
    owners = owners_beside(entries, ours)
    assert [owner.manager for owner in owners_of(owners, ("f:a",))] == ["new", "old", "timeless"]
    assert UNKNOWN.age < owners[-2].age


def test_how_a_node_is_owned() -> None:
    """A manager may own a node as a whole, the node itself, or only something in it."""
    owner = owner_of(entry({"f:one": {}, "f:made": {".": {}, "f:x": {}}, "f:in": {"f:x": {}}}))
    paths = [("f:one",), ("f:made",), ("f:in",), ("f:none",)]
    assert [owner.owns_as_one(path) for path in paths] == [True, False, False, False]
    assert [owner.owns_itself(path) for path in paths] == [True, True, False, False]
    assert [owner.owns(path) for path in paths] == [True, True, True, False]


@settings(deadline=None)
@given(JSON)
def test_no_shape_raises(value: Any) -> None:
    """Invalid entries from the cluster do not raise errors."""
    for hostile in (value, [value], [{"manager": value, "time": value, "fieldsV1": value}]):
        for owner in owners_beside(hostile, None):
            assert isinstance(owner.manager, str)
            owner.owns(("f:a", "f:name"))
