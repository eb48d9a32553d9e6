"""Times as objects of Kubernetes hold them: written in one way, and read leniently."""

from __future__ import annotations

from datetime import UTC, datetime


def format_time(moment: datetime) -> str:
    """Return the time in UTC as RFC 3339 with seconds, as in metav1.Time."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def format_micro_time(moment: datetime) -> str:
    """Return the time in UTC as a MicroTime: the API server demands six digits of fraction."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def parse_time(text: object) -> datetime | None:
    """Return the time that an object holds, in UTC if it names no zone; None for what cannot be read."""
    try:
        moment = datetime.fromisoformat(text if isinstance(text, str) else "")
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
