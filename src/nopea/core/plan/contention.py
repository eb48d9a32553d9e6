"""Detects contention: a manager changes an object back after every heal. Then healing backs off.

Values only: aware times come in. The caller keeps the `Fights`, waits, heals, and writes the condition.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from nopea.core.duration import backoff_seconds, format_seconds
from nopea.core.objects import ObjectKey

CONTENDED_AFTER: Final = 3
"""Consecutive heals, each soon after the previous one, that count as contention."""

SOON: Final = timedelta(minutes=10)
FIRST_BACKOFF: Final = timedelta(seconds=10)
LONGEST_BACKOFF: Final = timedelta(hours=1)
CALM_BACKOFFS: Final = 4
"""Backoffs without a heal that end the contention; more than one, because the next heal waits for one."""

_SCALER: Final = "kube-controller-manager"
"""Of a workload, Kubernetes' controllers change only the replicas, if they are scaled."""

MAX_RIVALS: Final = 8
"""Managers remembered for one object; the one healed least recently is dropped first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealRecord:
    """How many times in a row one manager's changes to one object were healed, and when last.

    `manager` is empty when Kubernetes did not record it, as for a deleted object.
    """

    manager: str
    heals: int
    last_at: datetime

    @property
    def rival(self) -> str:
        """The manager's name for users."""
        return self.manager or "an unknown manager"

    @property
    def backoff(self) -> timedelta:
        """The minimum time after the last heal: zero at first, then 10 s, doubling up to 1 h."""
        if self.heals < CONTENDED_AFTER:
            return timedelta()
        seconds = backoff_seconds(
            self.heals - CONTENDED_AFTER + 1,
            first=FIRST_BACKOFF.total_seconds(),
            most=LONGEST_BACKOFF.total_seconds(),
        )
        return timedelta(seconds=seconds)

    @property
    def calm_at(self) -> datetime:
        """When the record expires if nothing is healed until then."""
        return self.last_at + max(SOON, CALM_BACKOFFS * self.backoff)


def healed(record: HealRecord | None, *, manager: str, at: datetime) -> HealRecord:
    """Return the record after healing a change by `manager`; a new one if the old is another's or expired."""
    if record is None or record.manager != manager or at >= record.calm_at:
        return HealRecord(manager=manager, heals=1, last_at=at)
    return replace(record, heals=record.heals + 1, last_at=max(at, record.last_at))


def is_contended(record: HealRecord | None, now: datetime) -> bool:
    """Return whether the object is contended: `CONTENDED_AFTER` heals in a row, not yet expired."""
    return record is not None and record.heals >= CONTENDED_AFTER and now < record.calm_at


def next_heal_at(record: HealRecord | None, now: datetime) -> datetime:
    """Return when the next change by the record's manager may be healed: `now`, or later if contended.

    Never later than one backoff from now, whatever the clock did since the last heal.
    """
    if record is None:
        return now
    return min(max(now, record.last_at + record.backoff), now + record.backoff)


@dataclass(frozen=True, slots=True)
class Fights:
    """All records of one repository, by object. Bounded by the objects in Git times `MAX_RIVALS`."""

    records: Mapping[ObjectKey, tuple[HealRecord, ...]] = field(default_factory=dict)

    def record(self, key: ObjectKey, manager: str) -> HealRecord | None:
        """Return the record of one manager's changes to one object."""
        return next((record for record in self.records.get(key, ()) if record.manager == manager), None)

    def healed(self, key: ObjectKey, *, manager: str, at: datetime) -> Fights:
        """Return the records after healing a manager's change to an object."""
        others = tuple(record for record in self.records.get(key, ()) if record.manager != manager)
        now = healed(self.record(key, manager), manager=manager, at=at)
        return Fights({**self.records, key: (*others, now)[-MAX_RIVALS:]})

    def next_heal_at(self, key: ObjectKey, *, managers: Collection[str], now: datetime) -> datetime:
        """Return when changes by these managers to an object may be healed: when the last of them may be."""
        return max((next_heal_at(self.record(key, manager), now) for manager in managers), default=now)

    def contended(self, now: datetime) -> tuple[tuple[ObjectKey, HealRecord], ...]:
        """Return the contended objects with their records, ordered by object, the latest rival first."""
        return tuple(
            (key, record)
            for key in sorted(self.records)
            for record in reversed(self.records[key])
            if is_contended(record, now)
        )

    def forget(self, *, now: datetime, keep: Collection[ObjectKey]) -> Fights:
        """Return the records without expired ones and without objects that are not in `keep`."""
        left = {
            key: rest
            for key, records in self.records.items()
            if key in keep and (rest := tuple(record for record in records if now < record.calm_at))
        }
        return Fights(left)

    def describe(self, now: datetime) -> str:
        """Return the first contention in sentences for the condition; empty when there is none."""
        contended = self.contended(now)
        if not contended:
            return ""
        key, record = contended[0]
        objects = {key for key, _ in contended}
        backoff = format_seconds(record.backoff.total_seconds())
        more = f" {len(objects)} objects are contended." if len(objects) > 1 else ""
        return (
            f"Nopea has reverted changes of {key} by {record.rival} {record.heals} times. "
            f"It now waits {backoff} between heals. "
            f"{_way_out(key, record)}{more}"
        )


def _way_out(key: ObjectKey, record: HealRecord) -> str:
    if record.manager == _SCALER and key.group == "apps":
        return "If a HorizontalPodAutoscaler scales it, remove spec.replicas from Git."
    return "Stop the other writer, or add the field to spec.ignoreDifferences."


NO_FIGHTS: Final = Fights()
