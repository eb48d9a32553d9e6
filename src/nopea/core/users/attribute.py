"""Decide which of the recorded writes made an object drift, and so which user did. Pure.

A record is a claim; the live object decides. A user is named only if the write left exactly the value that
is live now, and if `managedFields`, where they date the change, have the entry of that write. Who deleted an
object is named only if it was seen to go right after that. All else names nobody: a write that admission
refused later, one that was never recorded, or an invented one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from nopea.core.apply.managers import Owner
from nopea.core.drift.find import Drift, FieldDrift
from nopea.core.secret import Secret
from nopea.core.users.changes import explains
from nopea.core.users.write import Write

MOST_WRITES = 16
"""The last writes that are kept of one object."""

STORED_WITHIN = timedelta(seconds=35)
"""How long after its report a deletion may be seen: other webhooks may take 30 seconds to allow it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectWrites:
    """The last writes of one object, the oldest first; another `uid` is another object.

    With `is_deleted` the object is gone or terminating, and the only deletion left is the one that did it.
    """

    uid: str
    writes: tuple[Write, ...] = ()
    is_deleted: bool = False

    @property
    def size(self) -> int:
        """How much it holds: writes, and leaves that they changed."""
        return sum(4 + len(write.changes or ()) for write in self.writes)

    def and_then(self, write: Write) -> ObjectWrites:
        """Return it with one more write. What that found tells which deletions have taken place."""
        known = self
        if write.found_terminating:
            known = self.deleted(write.at)
        elif write.found_terminating is False:
            known = self.without_deletions()
        if known.is_deleted and write.deletes:
            return known
        return replace(known, writes=(*known.writes, write)[-MOST_WRITES:])

    def deleted(self, at: datetime) -> ObjectWrites:
        """Return it once the object is seen to be gone or terminating; idempotent.

        The newest deletion did it, if it was reported shortly before; older ones were refused.
        """
        if self.is_deleted:
            return self
        newest = next((write for write in reversed(self.writes) if write.deletes), None)
        is_late = newest is None or at - newest.at > STORED_WITHIN
        kept = tuple(write for write in self.writes if not write.deletes or (write is newest and not is_late))
        return replace(self, writes=kept, is_deleted=True)

    def without_deletions(self) -> ObjectWrites:
        """Return it without the deletions, which an object that is there has survived."""
        kept = tuple(write for write in self.writes if not write.deletes)
        return replace(self, writes=kept, is_deleted=False)


def attributed(drift: Drift, live: Mapping[str, Any] | None, known: ObjectWrites, *, key: Secret) -> Drift:
    """Return the drift with the users who changed its fields, and with the time where nothing else has it."""
    if live is None:
        deletions = (write for write in known.writes if write.deletes and known.is_deleted)
        deletion = next(deletions, None)
        return replace(drift, fields=tuple(_by(field, deletion) for field in drift.fields))
    if (live.get("metadata") or {}).get("uid") != known.uid:
        return drift
    fields = tuple(_by(field, _writer(field, live, known.writes, key)) for field in drift.fields)
    return replace(drift, fields=fields)


def _by(field: FieldDrift, write: Write | None) -> FieldDrift:
    if write is None or not write.user:
        return field
    at = field.changed_at or write.at
    return replace(field, user=write.user, groups=write.groups, changed_at=at)


def _writer(field: FieldDrift, live: Mapping[str, Any], writes: Sequence[Write], key: Secret) -> Write | None:
    """Return the newest write that left the field as it is, if nothing contradicts it.

    Where managedFields date the change, their entry must be of that write, or of a later one by the same
    manager that left the field alone: then a refused write in between does not matter. Where they do not, the
    newest write of the field must be the one.
    """
    owner = Owner(
        manager=field.manager,
        operation=field.operation,
        subresource=field.subresource,
        changed_at=field.changed_at,
    )
    is_confirmed = False
    for write in reversed(writes):
        is_confirmed |= owner in write.entries
        left = False if write.changes is None else explains(write.changes, live, field.keys, key=key)
        if left is None:
            if field.from_ == field.to and owner in write.entries:
                return write  # it took the ownership, and nothing else
            continue
        if left and (is_confirmed if owner.changed_at is not None else _fits(field, write)):
            return write
        if owner.changed_at is None or is_confirmed:
            return None
    return None


def _fits(field: FieldDrift, write: Write) -> bool:
    """Return whether a write may be the one of an undated owner, or of a removed field, which has none."""
    if not field.manager:
        return True
    return write.subresource == field.subresource and write.manager in ("", field.manager)
