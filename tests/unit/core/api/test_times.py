"""Times as Kubernetes writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from nopea.core.api.times import format_micro_time, format_time, parse_time

AT = datetime(2026, 11, 25, 13, 11, 25, 42, tzinfo=UTC)


def test_a_time_is_written_in_utc() -> None:
    """With seconds, or with exactly six digits of fraction."""
    at = AT.astimezone(timezone(timedelta(hours=2)))
    assert format_time(at) == "2026-11-25T13:11:25Z"
    assert format_micro_time(at) == "2026-11-25T13:11:25.000042Z"


@pytest.mark.parametrize(
    "text", ["2026-11-25T13:11:25.000042Z", "2026-11-25T15:11:25.000042+02:00", "2026-11-25T13:11:25.000042"]
)
def test_a_time_is_read_with_any_zone(text: str) -> None:
    """Without one it is UTC."""
    assert parse_time(text) == AT


@pytest.mark.parametrize("text", ["yesterday", "", None, 7, {}])
def test_what_is_not_a_time_is_none(text: object) -> None:
    """It may have been written by another version, or by anybody."""
    assert parse_time(text) is None
