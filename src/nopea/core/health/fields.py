"""Reads the fields of a live object that the health rules need.

Assesses nothing. Absent fields get their default; a field of an unexpected type raises `OddShapeError`, so
that no rule takes an unknown shape for a healthy object.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nopea.core.health.pods import one_line

NOTHING: Mapping[str, Any] = {}
_LONG = 20  # digits; a longer string is not a generation


class OddShapeError(Exception):
    """A field has an unexpected type."""


@dataclass(frozen=True, slots=True)
class LiveFields:
    """The parts of a live object that every rule needs."""

    spec: Mapping[str, Any]
    status: Mapping[str, Any]
    conditions: Mapping[str, Mapping[str, Any]]
    generation: int | None
    observed: int | None
    raw: Mapping[str, Any]
    now: datetime

    def has(self, condition: str, status: str = "True") -> bool:
        """Return whether the condition is present with this status."""
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
        """Return a number of the spec; 1, the API's default, when it is not set."""
        return number(self.spec, field, 1)

    def count(self, field: str) -> int:
        """Return a number of the status; 0 when it is absent, because controllers omit zeros."""
        return number(self.status, field, 0)


def mapping(parent: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    """Return a mapping; empty when the field is absent or null."""
    value = parent.get(field)
    if value is None:
        return NOTHING
    if not isinstance(value, Mapping):
        raise OddShapeError(f"{field} is not a mapping")
    return value


def number(parent: Mapping[str, Any], field: str, default: int) -> int:
    """Return an integer; `default` when the field is absent or null."""
    value = parent.get(field)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool):
        raise OddShapeError(f"{field} is not a number")
    return value


def generation_of(parent: Mapping[str, Any], field: str) -> int | None:
    """Return a generation; None when absent. Some controllers write it as a string."""
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
        raise OddShapeError("status.conditions is not a list")
    conditions: dict[str, Mapping[str, Any]] = {}
    for condition in listed:
        kind = condition.get("type") if isinstance(condition, Mapping) else None
        if not isinstance(kind, str):
            raise OddShapeError("status.conditions holds an item that is not a condition")
        conditions[kind] = condition
    return conditions
