"""Describes a rollback: the condition `RolledBack` and the Events about its begin and end. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from nopea.core.api.conditions import ROLLED_BACK, find
from nopea.core.api.entries import Condition
from nopea.core.api.pin import Pin
from nopea.core.api.times import format_time

PINNED = "Pinned"


def rolled_back(pin: Pin | None, *, generation: int, now: datetime) -> list[Condition]:
    """Return the condition of a pinned repository; none when it follows its spec."""
    if pin is None:
        return []
    return [
        Condition(
            type=ROLLED_BACK,
            status="True",
            reason=PINNED,
            message=pin.message,
            last_transition_time=format_time(now),
            observed_generation=generation,
        )
    ]


def has_moved(conditions: Iterable[Condition], pin: Pin | None) -> bool:
    """Return whether the pin differs from the one in these conditions."""
    condition = find(conditions, ROLLED_BACK)
    return (condition.message if condition else None) != (pin.message if pin else None)


def pinned_note(before: Iterable[Condition], after: Iterable[Condition]) -> str:
    """Return the text of the Event when the repository was pinned between two statuses; empty otherwise."""
    was, is_ = find(before, ROLLED_BACK), find(after, ROLLED_BACK)
    return is_.message if is_ and (was is None or was.message != is_.message) else ""


def released_note(before: Iterable[Condition], after: Iterable[Condition], *, follows: str) -> str:
    """Return the text of the Event when the repository was released; `follows` is what it follows now."""
    if find(before, ROLLED_BACK) is None or find(after, ROLLED_BACK) is not None:
        return ""
    return f"Follows {follows} again after a rollback."
