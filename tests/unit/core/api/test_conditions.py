"""Conditions: whose they are, and since when they hold."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from nopea.core.api.conditions import find, format_time, merge
from nopea.core.api.status import Condition

OWNED = frozenset({"Ready", "Stalled"})
EARLY, LATE = "2026-11-24T05:00:00Z", "2026-11-24T06:00:00Z"


def _condition(type_: str, status: str, *, at: str = LATE, message: str = "") -> Condition:
    return Condition(type=type_, status=status, reason="R", message=message, last_transition_time=at)


def test_the_time_of_the_transition_stays_while_the_status_does() -> None:
    """Another reason or message is no transition."""
    before = [_condition("Ready", "False", at=EARLY, message="old")]

    (same,) = merge(before, [_condition("Ready", "False", message="new")], owned=OWNED)
    (turned,) = merge(before, [_condition("Ready", "True")], owned=OWNED)

    assert (same.message, same.last_transition_time) == ("new", EARLY)
    assert turned.last_transition_time == LATE


def test_ours_go_when_they_are_not_wanted_and_others_stay() -> None:
    """An abnormal condition is gone when it does not hold; a stranger's is not ours to remove."""
    before = [_condition("Stalled", "True"), _condition("Ready", "False"), _condition("Audited", "True")]

    merged = merge(before, [_condition("Ready", "True")], owned=OWNED)

    assert [(one.type, one.status) for one in merged] == [("Audited", "True"), ("Ready", "True")]


def test_their_order_never_changes_by_itself() -> None:
    """Sorted by type: else equal statuses would look different and be written."""
    wanted = [_condition("Stalled", "True"), _condition("Ready", "False")]

    assert merge((), wanted, owned=OWNED) == merge((), reversed(wanted), owned=OWNED)


def test_find_gives_the_one_of_the_type() -> None:
    """Or None."""
    ready = _condition("Ready", "True")

    assert find([_condition("Stalled", "True"), ready], "Ready") is ready
    assert find([], "Ready") is None


def test_times_are_utc_with_seconds() -> None:
    """As Kubernetes writes them, whatever the zone of the value."""
    moment = datetime(2026, 11, 24, 7, 30, 1, 999_999, tzinfo=timezone(timedelta(hours=2)))

    assert format_time(moment) == "2026-11-24T05:30:01Z"
