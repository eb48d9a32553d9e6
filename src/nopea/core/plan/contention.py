"""Notice fights: the same manager changes the same object back after every heal; then heal ever more slowly.

Values only: times come in, aware; the caller keeps the `Fights`, waits, heals, and writes the condition.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from nopea.core.objects import ObjectKey

CONTENDED_AFTER: Final = 3
"""Heals, each soon after the one before, that make a fight."""

SOON: Final = timedelta(minutes=10)
FIRST_BACKOFF: Final = timedelta(seconds=10)
LONGEST_BACKOFF: Final = timedelta(hours=1)
CALM_BACKOFFS: Final = 4
"""So many backoffs without a heal end a fight; it must be more than one, for the next heal waits for one."""

MAX_RIVALS: Final = 8
"""Managers that are remembered for one object; the one healed longest ago is forgotten first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealRecord:
    """How often in a row one manager's changes to one object were healed, and when last.

    `manager` is empty where nobody knows who did it, as when the object was deleted.
    """

    manager: str
    heals: int
    last_at: datetime

    @property
    def rival(self) -> str:
        """The manager as a reader is told of it."""
        return self.manager or "an unknown manager"

    @property
    def backoff(self) -> timedelta:
        """The time that has to pass after the last heal: none at first, then 10 s doubling up to 1 h."""
        beyond = self.heals - CONTENDED_AFTER
        if beyond < 0:
            return timedelta()
        return min(FIRST_BACKOFF * (1 << min(beyond, 16)), LONGEST_BACKOFF)

    @property
    def calm_at(self) -> datetime:
        """When all is forgotten, if nothing is healed until then."""
        return self.last_at + max(SOON, CALM_BACKOFFS * self.backoff)


def healed(record: HealRecord | None, *, manager: str, at: datetime) -> HealRecord:
    """Return the record after healing a change of `manager`; another's record, or a calm one, starts anew."""
    if record is None or record.manager != manager or at >= record.calm_at:
        return HealRecord(manager=manager, heals=1, last_at=at)
    return replace(record, heals=record.heals + 1, last_at=max(at, record.last_at))


def is_contended(record: HealRecord | None, now: datetime) -> bool:
    """Whether the object is fought over: `CONTENDED_AFTER` heals in a row, and no calm since."""
    return record is not None and record.heals >= CONTENDED_AFTER and now < record.calm_at


def next_heal_at(record: HealRecord | None, now: datetime) -> datetime:
    """Return when the next change of the record's manager may be healed: `now`, or later in a fight.

    Never later than one backoff from now, whatever the clock did since the last heal.
    """
    if record is None:
        return now
    return min(max(now, record.last_at + record.backoff), now + record.backoff)


@dataclass(frozen=True, slots=True)
class Fights:
    """All records of one repository, by object. Bounded by the objects in Git and `MAX_RIVALS` of each."""

    records: Mapping[ObjectKey, tuple[HealRecord, ...]] = field(default_factory=dict)

    def record(self, key: ObjectKey, manager: str) -> HealRecord | None:
        """Return what is remembered of one manager's changes to one object."""
        return next((one for one in self.records.get(key, ()) if one.manager == manager), None)

    def healed(self, key: ObjectKey, *, manager: str, at: datetime) -> Fights:
        """Return the fights after healing a manager's change to an object."""
        others = tuple(one for one in self.records.get(key, ()) if one.manager != manager)
        now = healed(self.record(key, manager), manager=manager, at=at)
        return Fights({**self.records, key: (*others, now)[-MAX_RIVALS:]})

    def next_heal_at(self, key: ObjectKey, *, managers: Collection[str], now: datetime) -> datetime:
        """Return when changes of these managers to an object may be healed: when the last of them may."""
        return max((next_heal_at(self.record(key, one), now) for one in managers), default=now)

    def contended(self, now: datetime) -> tuple[tuple[ObjectKey, HealRecord], ...]:
        """Return who fights over which object, in the order of the objects and the latest rival first."""
        return tuple(
            (key, record)
            for key in sorted(self.records)
            for record in reversed(self.records[key])
            if is_contended(record, now)
        )

    def forget(self, *, now: datetime, keep: Collection[ObjectKey]) -> Fights:
        """Return the fights without calm records, and without objects that are not to be kept."""
        left = {
            key: rest
            for key, records in self.records.items()
            if key in keep and (rest := tuple(record for record in records if now < record.calm_at))
        }
        return Fights(left)


NO_FIGHTS: Final = Fights()
