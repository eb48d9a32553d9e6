"""How a rollback is told: the condition `RolledBack`, the Events about its beginning and its end. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from nopea.core.api.conditions import ROLLED_BACK, find, format_time
from nopea.core.api.pin import Pin
from nopea.core.api.status import Condition

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
    """True when the pin is another than these conditions tell."""
    told = find(conditions, ROLLED_BACK)
    return (told.message if told else None) != (pin.message if pin else None)


def pinned_note(before: Iterable[Condition], after: Iterable[Condition]) -> str:
    """Return what to tell of a step between two statuses that pinned the repository; empty if none did."""
    was, is_ = find(before, ROLLED_BACK), find(after, ROLLED_BACK)
    return is_.message if is_ and (was is None or was.message != is_.message) else ""


def released_note(before: Iterable[Condition], after: Iterable[Condition], *, follows: str) -> str:
    """Return the same of a step that released it; `follows` is what it follows now."""
    if find(before, ROLLED_BACK) is None or find(after, ROLLED_BACK) is not None:
        return ""
    return f"follows {follows} again, after it was held at a commit"
