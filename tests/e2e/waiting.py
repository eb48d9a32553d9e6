"""Wait until a claim holds: every wait has a deadline and raises the last failure."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PAUSE_SECONDS = 0.1


def eventually(claim: Callable[[], T], *, seconds: float = 60.0) -> T:
    """Call the claim every 0.1 s until it raises no AssertionError or OSError, and return its result.

    After `seconds`, its last failure is raised, which shows the last state. The default is for a machine that
    runs several labs: a test that requires a quick result passes its own seconds.
    """
    give_up_at = time.monotonic() + seconds
    while True:
        try:
            return claim()
        except (AssertionError, OSError):
            if time.monotonic() > give_up_at:
                raise
        time.sleep(PAUSE_SECONDS)


def always(claim: Callable[[], object], *, seconds: float) -> None:
    """Call the claim every 0.1 s for `seconds`; its first failure is raised."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        claim()
        time.sleep(PAUSE_SECONDS)
