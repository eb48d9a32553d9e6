"""Who owns a field beside us, and since when: `managedFields` read for people. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from nopea.core.apply.fieldset import NO_FIELDS, Fields, Path, entries, fields_of, is_member, node_at, touches

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """One entry of `managedFields`. `changed_at` is None where the API server gave no time (scale)."""

    manager: str
    operation: str
    subresource: str
    changed_at: datetime | None
    fields: Fields = field(default_factory=dict, repr=False, compare=False)

    @property
    def age(self) -> datetime:
        """When it changed something, for sorting: long ago where that is not known."""
        return self.changed_at or _LONG_AGO

    def owns(self, path: Path) -> bool:
        """Whether it owns the value at the path, something in it, or a piece that it is part of."""
        return touches(self.fields, path)

    def owns_itself(self, path: Path) -> bool:
        """Whether it owns the very node: it made the item or the struct, or set it as one piece."""
        node = node_at(self.fields, path)
        return node is not None and is_member(node)

    def owns_as_one(self, path: Path) -> bool:
        """Whether it owns what stands at the path as one piece."""
        return node_at(self.fields, path) == NO_FIELDS


UNKNOWN = Owner(manager="", operation="", subresource="", changed_at=None)
"""Nobody is named: what is gone has no owner."""


def owner_of(entry: Mapping[str, Any]) -> Owner:
    """Read an entry; what has another shape than it should is empty."""
    manager, operation, subresource = (
        _text(entry.get(key)) for key in ("manager", "operation", "subresource")
    )
    return Owner(
        manager=manager,
        operation=operation,
        subresource=subresource,
        changed_at=_time(entry.get("time")),
        fields=fields_of(entry),
    )


def owners_beside(managed_fields: Any, ours: Mapping[str, Any] | None) -> tuple[Owner, ...]:
    """Return the owners other than our own entry, the latest change first, those without a time last."""
    owners = [owner_of(entry) for entry in entries(managed_fields) if entry is not ours]
    return tuple(sorted(owners, key=lambda owner: owner.age, reverse=True))


def owners_of(owners: tuple[Owner, ...], path: Path) -> Iterator[Owner]:
    """Yield those who own the value at the path or something in it, in their order."""
    return (owner for owner in owners if owner.owns(path))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _time(text: Any) -> datetime | None:
    """Read RFC 3339; None for anything else."""
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
