"""How a room tells what it did and how long it took, without knowing who counts. Values only."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Measure: TypeAlias = Callable[[str, str, float], None]
"""Takes what was done, how it ended, and the seconds; returns at once and never raises.

The first two come from small fixed sets: they become labels.
"""


def not_measured(what: str, ended: str, seconds: float) -> None:
    """Take the measurement and forget it."""
    del what, ended, seconds
