"""The type of options that are durations."""

from __future__ import annotations

import click
import pytest

from nopea.cli.duration import Duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30.0), ("1h30m", 5400.0), ("500ms", 0.5)],
)
def test_durations_are_read_as_kubernetes_writes_them(text: str, seconds: float) -> None:
    """The value is in seconds; a default that is a number of seconds stays what it is."""
    assert Duration().convert(text, None, None) == seconds
    assert Duration().convert(seconds, None, None) == seconds


@pytest.mark.parametrize("text", ["30", "soon", "0s", ""])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    """A duration of nothing is none: an option of 0s would wait for ever or not at all."""
    with pytest.raises(click.BadParameter, match="Example: 30s"):
        Duration().convert(text, None, None)
