"""Durations: how they are parsed, as in Go, and how they are shown."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nopea.core.duration import PATTERN, backoff_seconds, format_seconds, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0s", 0), ("30s", 30), ("5m", 300), ("1h30m", 5400), ("1.5h", 5400), ("1500ms", 1.5), ("1h1h", 7200),
        ("8760h", 31_536_000), ("1m1ms", 60.001),
    ],
)  # fmt: skip
def test_durations_are_the_sum_of_their_parts(text: str, seconds: float) -> None:
    """Hours, minutes, seconds and milliseconds, with fractions, are added."""
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    ["", "5", "m", "-5m", "+5m", "5 m", "5M", "1d", "5m\n", " 5m", ".5h", "5.h", "٥m", "1e3s", "5µs", "0"],
)
def test_any_other_text_is_refused(text: str) -> None:
    """The error quotes the text."""
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        parse_duration(text)


NUMBERS = st.from_regex(r"[0-9]{1,30}(\.[0-9]{1,5})?", fullmatch=True)
PARTS = st.tuples(NUMBERS, st.sampled_from(["ms", "s", "m", "h"])).map("".join)


@settings(deadline=None, max_examples=50)
@given(st.lists(PARTS, min_size=1, max_size=3).map("".join))
def test_any_text_that_matches_the_pattern_is_a_duration_or_a_value_error(text: str) -> None:
    """No text that the schema accepts raises another error, however many digits it has."""
    assert re.match(PATTERN, text)
    try:
        assert parse_duration(text) >= timedelta(0)
    except ValueError:
        assert len(text) > 11  # a duration that is too long has many digits


def test_a_duration_that_is_too_long_is_refused() -> None:
    """A number of hours with 31 digits is a ValueError, not an overflow."""
    with pytest.raises(ValueError, match="too long for a duration"):
        parse_duration("9" * 31 + "h")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.00s"), (0.4249, "0.42s"), (9.994, "9.99s"), (9.996, "10.0s"), (12.34, "12.3s"),
        (59.94, "59.9s"), (59.96, "1m0s"), (250, "4m10s"), (3599.4, "59m59s"), (3599.6, "1h0m"),
        (7380, "2h3m"), (360_000, "100h0m"),
    ],
)  # fmt: skip
def test_rounding_carries_over(seconds: float, text: str) -> None:
    """Rounding never shows 60 of a unit but one of the next."""
    assert format_seconds(seconds) == text


@pytest.mark.parametrize(
    ("failures", "seconds"), [(0, 1.0), (1, 1.0), (2, 2.0), (4, 8.0), (6, 20.0), (10_000, 20.0)]
)
def test_a_backoff_doubles_up_to_its_bound(failures: int, seconds: float) -> None:
    """A very large number of failures does not overflow."""
    assert backoff_seconds(failures, first=1.0, most=20.0) == seconds
