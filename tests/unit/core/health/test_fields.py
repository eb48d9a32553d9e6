"""How the health rules read the fields of an object."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.core.health.objects import NOW

from nopea.core.health.fields import (
    LiveFields,
    OddShapeError,
    conditions_of,
    generation_of,
    mapping,
    number,
)


def fields(spec: dict[str, Any] | None = None, status: dict[str, Any] | None = None) -> LiveFields:
    """Return the parts of an object with this spec and status."""
    status = status or {}
    return LiveFields(
        spec=spec or {},
        status=status,
        conditions=conditions_of(status),
        generation=None,
        observed=None,
        raw={},
        now=NOW,
    )


def test_absent_fields_have_the_defaults_of_the_api() -> None:
    """The default is one replica; a missing count is zero."""
    assert fields().wants() == 1
    assert fields({"replicas": 0}).wants() == 0
    assert fields().count("readyReplicas") == 0
    assert mapping({"spec": None}, "spec") == {}
    assert number({}, "partition", 7) == 7


def test_a_condition_is_found_by_type() -> None:
    """Its text is the message, or the reason without one, on one line; an absent condition has none."""
    listed = [
        {"type": "Ready", "status": "False", "reason": "Waiting", "message": "two\nlines"},
        {"type": "Synced", "status": "True", "reason": "Done"},
    ]
    it = fields(status={"conditions": listed})

    assert it.has("Synced")
    assert it.has("Ready", "False")
    assert not it.has("Other")
    assert (it.says("Ready"), it.says("Synced"), it.says("Other")) == ("two lines", "Done", "")
    assert it.reason("Ready") == "Waiting"


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, None), (3, 3), ("3", 3), ("0" * 19 + "3", OddShapeError), ("x", OddShapeError)],
)
def test_a_generation_may_be_a_short_string(value: object, expected: object) -> None:
    """Some controllers write the generation as a string; other strings are an error."""
    parent = {} if value is None else {"generation": value}
    if expected is OddShapeError:
        with pytest.raises(OddShapeError):
            generation_of(parent, "generation")
    else:
        assert generation_of(parent, "generation") == expected


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ({"conditions": {}}, "status.conditions is not a list"),
        ({"conditions": ["x"]}, "status.conditions holds an item that is not a condition"),
        ({"conditions": [{"type": 1}]}, "status.conditions holds an item that is not a condition"),
    ],
)
def test_invalid_conditions_are_an_error(status: dict[str, Any], message: str) -> None:
    """An object with invalid conditions must not count as healthy."""
    with pytest.raises(OddShapeError, match=message):
        conditions_of(status)


@pytest.mark.parametrize("odd", ["3", True, 1.5, [], {}])
def test_a_value_of_another_type_is_an_error(odd: object) -> None:
    """A boolean is not a number, and a list is not a mapping."""
    with pytest.raises(OddShapeError, match="replicas is not a number"):
        number({"replicas": odd}, "replicas", 1)
    if not isinstance(odd, dict):
        with pytest.raises(OddShapeError, match="spec is not a mapping"):
            mapping({"spec": odd}, "spec")
