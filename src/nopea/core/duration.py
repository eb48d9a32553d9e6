"""Parse and format durations as in Kubernetes: `5m`, `1h30m`, `0s` (Go's syntax, never negative).

Also the backoff after failures. Values only: no clock, no randomness.
"""

from __future__ import annotations

import re
from datetime import timedelta
from functools import lru_cache

PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+\Z"  # \Z: Python's $ also matches before a last newline
_WHOLE = re.compile(PATTERN)
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_MOST_DOUBLINGS = 30  # a float overflows at 1024; every wait has reached its bound long before
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@lru_cache(maxsize=256)  # each sync asks several times, and most GitRepositories have the same durations
def parse_duration(text: str) -> timedelta:
    """Parse a duration; raises ValueError with a message for users that gives examples."""
    if not _WHOLE.match(text) or len(text) > 32:
        raise ValueError(f"{text!r} is not a duration. Examples: 30s, 5m, 1h30m.")
    try:
        return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text)))
    except OverflowError:
        raise ValueError(f"{text!r} is too long for a duration.") from None


def format_seconds(seconds: float) -> str:
    """Return a short form for messages and the status: `0.42s`, `12.3s`, `4m10s`, `2h3m`."""
    if round(seconds, 2) < 10:
        return f"{seconds:.2f}s"
    if round(seconds, 1) < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m"


def backoff_seconds(failures: int, *, first: float, most: float) -> float:
    """Return the wait after that many failures in a row: `first` after one, doubling up to `most`."""
    return min(first * 2.0 ** min(max(failures - 1, 0), _MOST_DOUBLINGS), most)
