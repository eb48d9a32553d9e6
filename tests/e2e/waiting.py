"""Wait for the world to become as it should: every wait has a deadline and says what it saw last."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PAUSE_SECONDS = 0.1


def eventually(claim: Callable[[], T], *, seconds: float = 60.0) -> T:
    """Call the claim until it neither fails nor cannot reach a server; then return what it returned.

    After `seconds` its last failure is raised, which shows the last state. Steps of 0.1 s. The default is for
    a machine that runs several labs: what must be quick says so with its own seconds.
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
    """Call the claim again and again for that long; its first failure is raised."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        claim()
        time.sleep(PAUSE_SECONDS)
