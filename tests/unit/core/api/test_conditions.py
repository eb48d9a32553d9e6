"""Conditions: which belong to the controller, and since when they have their status."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from nopea.core.api.conditions import find, merge
from nopea.core.api.entries import Condition
from nopea.core.api.times import format_time

OWNED = frozenset({"Ready", "Stalled"})
EARLY, LATE = "2026-11-24T05:00:00Z", "2026-11-24T06:00:00Z"


def _condition(type_: str, status: str, *, at: str = LATE, message: str = "") -> Condition:
    return Condition(type=type_, status=status, reason="R", message=message, last_transition_time=at)


def test_the_transition_time_changes_only_with_the_status() -> None:
    """Another reason or message is not a transition."""
    before = [_condition("Ready", "False", at=EARLY, message="old")]

    (same,) = merge(before, [_condition("Ready", "False", message="new")], owned=OWNED)
    (turned,) = merge(before, [_condition("Ready", "True")], owned=OWNED)

    assert (same.message, same.last_transition_time) == ("new", EARLY)
    assert turned.last_transition_time == LATE


def test_own_conditions_are_removed_and_foreign_ones_stay() -> None:
    """An own condition that is not set any more is removed; conditions of other programs are kept."""
    before = [_condition("Stalled", "True"), _condition("Ready", "False"), _condition("Audited", "True")]

    merged = merge(before, [_condition("Ready", "True")], owned=OWNED)

    assert [(one.type, one.status) for one in merged] == [("Audited", "True"), ("Ready", "True")]


def test_conditions_are_sorted_by_type() -> None:
    """A stable order avoids status writes that change nothing."""
    wanted = [_condition("Stalled", "True"), _condition("Ready", "False")]

    assert merge((), wanted, owned=OWNED) == merge((), reversed(wanted), owned=OWNED)


def test_find_returns_the_condition_of_the_type() -> None:
    """Without such a condition the result is None."""
    ready = _condition("Ready", "True")

    assert find([_condition("Stalled", "True"), ready], "Ready") is ready
    assert find([], "Ready") is None


def test_times_are_utc_with_seconds() -> None:
    """Times are in UTC without fractions, as Kubernetes writes them, whatever the zone of the value."""
    moment = datetime(2026, 11, 24, 7, 30, 1, 999_999, tzinfo=timezone(timedelta(hours=2)))

    assert format_time(moment) == "2026-11-24T05:30:01Z"
