"""A live object, taken apart as the rules of health read it.

Reads only; judges nothing. Absent fields get the value that leaving them out means; a field of another type
is `OddShapeError`, so that no rule takes a shape that it does not know for a healthy object.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nopea.core.health.pods import one_line

NOTHING: Mapping[str, Any] = {}
_LONG = 20  # digits; more are no generation, and Python refuses to read very many


class OddShapeError(Exception):
    """A field does not have the type that its meaning needs."""


@dataclass(frozen=True, slots=True)
class LiveFields:
    """An object taken apart as far as every rule needs it."""

    spec: Mapping[str, Any]
    status: Mapping[str, Any]
    conditions: Mapping[str, Mapping[str, Any]]
    generation: int | None
    observed: int | None
    raw: Mapping[str, Any]
    now: datetime

    def has(self, condition: str, status: str = "True") -> bool:
        """Whether the condition is there with this status."""
        found = self.conditions.get(condition)
        return found is not None and found.get("status") == status

    def says(self, condition: str) -> str:
        """Return the condition's message, or its reason, in one line."""
        found = self.conditions.get(condition, NOTHING)
        text = found.get("message") or found.get("reason") or ""
        return one_line(text) if isinstance(text, str) else ""

    def reason(self, condition: str) -> Any:
        """Return the condition's reason."""
        return self.conditions.get(condition, NOTHING).get("reason")

    def wants(self, field: str = "replicas") -> int:
        """Return a number of the spec; 1 where it is not set, as the API server has it."""
        return number(self.spec, field, 1)

    def count(self, field: str) -> int:
        """Return a number of the status; 0 where it is not there, as controllers leave it out."""
        return number(self.status, field, 0)


def mapping(parent: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    """Return a mapping; an empty one where the field is absent or null."""
    value = parent.get(field)
    if value is None:
        return NOTHING
    if not isinstance(value, Mapping):
        raise OddShapeError(f"{field} is no mapping")
    return value


def number(parent: Mapping[str, Any], field: str, default: int) -> int:
    """Return a whole number; `default` where the field is absent or null."""
    value = parent.get(field)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool):
        raise OddShapeError(f"{field} is no number")
    return value


def generation_of(parent: Mapping[str, Any], field: str) -> int | None:
    """Return a generation; None where there is none. Some controllers write it as text."""
    value = parent.get(field)
    if isinstance(value, str) and value.isdecimal() and len(value) < _LONG:
        return int(value)
    return None if value is None else number(parent, field, 0)


def conditions_of(status: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """Return the conditions of a status by their type."""
    listed = status.get("conditions")
    if listed is None:
        return NOTHING
    if not isinstance(listed, list):
        raise OddShapeError("status.conditions is no list")
    conditions: dict[str, Mapping[str, Any]] = {}
    for condition in listed:
        kind = condition.get("type") if isinstance(condition, Mapping) else None
        if not isinstance(kind, str):
            raise OddShapeError("status.conditions holds something that is no condition")
        conditions[kind] = condition
    return conditions
