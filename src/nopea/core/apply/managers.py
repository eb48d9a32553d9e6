"""Read from `managedFields` who else owns a field, and since when. Never decides anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from nopea.core.api.times import parse_time
from nopea.core.apply.fieldset import NO_FIELDS, Fields, Path, entries, fields_of, is_member, node_at, touches

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """One entry of `managedFields`. `changed_at` is None for an entry without a time (scale)."""

    manager: str
    operation: str
    subresource: str
    changed_at: datetime | None
    fields: Fields = field(default_factory=dict, repr=False, compare=False)

    @property
    def age(self) -> datetime:
        """The time of its last change, for sorting; an unknown time is the oldest."""
        return self.changed_at or _LONG_AGO

    def owns(self, path: Path) -> bool:
        """Whether it owns the value at the path, a part of it, or an atomic value that contains it."""
        return touches(self.fields, path)

    def owns_itself(self, path: Path) -> bool:
        """Whether it owns the node itself: it created the item or struct, or set it as an atomic value."""
        node = node_at(self.fields, path)
        return node is not None and is_member(node)

    def owns_as_one(self, path: Path) -> bool:
        """Whether it owns the value at the path as an atomic value."""
        return node_at(self.fields, path) == NO_FIELDS


UNKNOWN = Owner(manager="", operation="", subresource="", changed_at=None)
"""The owner of an absent field: Kubernetes does not record it."""


def owner_of(entry: Mapping[str, Any]) -> Owner:
    """Parse an entry; malformed parts are empty."""
    manager, operation, subresource = (
        _text(entry.get(key)) for key in ("manager", "operation", "subresource")
    )
    return Owner(
        manager=manager,
        operation=operation,
        subresource=subresource,
        changed_at=parse_time(entry.get("time")),
        fields=fields_of(entry),
    )


def owners_beside(managed_fields: Any, ours: Mapping[str, Any] | None) -> tuple[Owner, ...]:
    """Return all owners except our entry, the latest change first, those without a time last."""
    owners = [owner_of(entry) for entry in entries(managed_fields) if entry is not ours]
    return tuple(sorted(owners, key=lambda owner: owner.age, reverse=True))


def owners_of(owners: tuple[Owner, ...], path: Path) -> Iterator[Owner]:
    """Yield the owners of the value at the path or of a part of it, in order."""
    return (owner for owner in owners if owner.owns(path))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
