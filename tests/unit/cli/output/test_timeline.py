"""The lines and the JSON of `nopea events`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from nopea.cli.output.timeline import timeline_json, timeline_lines
from nopea.core.objects import RepoKey
from nopea.core.status.timeline import TimelineEntry

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def _entry(minutes: int = 5, **facts: Any) -> TimelineEntry:
    at = NOW - timedelta(minutes=minutes)
    fields = {"repository": RepoKey("shop", "api"), "first": at, "last": at, "reason": "Changed"}
    return TimelineEntry(**{**fields, "message": "Applied c0ffee0: configured ConfigMap shop/web.", **facts})


APPLIED = _entry(commit="c0ffee0" + "0" * 33, subject="Green", author="Ann", trigger="webhook,poll")
FAILED = _entry(
    1, reason="Invalid", message="It is refused.", warning=True, count=3, first=NOW - timedelta(minutes=9),
    commit="c0ffee0" + "0" * 33,
)  # fmt: skip


def test_a_line_has_the_time_and_who_did_it() -> None:
    """And the commit, unless the text has it."""
    assert list(timeline_lines([APPLIED, FAILED], now=NOW, with_names=False)) == [
        (
            "2026-11-24T11:55:00Z  5m ago   Changed  Applied c0ffee0: configured ConfigMap shop/web. "
            "(“Green” by Ann; trigger: webhook, poll)"
        ),
        (
            "2026-11-24T11:59:00Z  60s ago  \x1b[33mInvalid\x1b[0m  It is refused. "
            "(commit c0ffee0; 3 times since 2026-11-24T11:51:00Z)"
        ),
    ]


def test_long_lines_are_wrapped() -> None:
    """The text is below the time, within the width."""
    lines = list(timeline_lines([APPLIED], now=NOW, with_names=True, width=60))

    assert lines[0] == "2026-11-24T11:55:00Z  5m ago  shop/api  Changed"
    assert [line[:4] for line in lines[1:]] == ["    "] * (len(lines) - 1)
    assert max(map(len, lines)) <= 60


def test_a_time_that_is_not_known() -> None:
    """It was after the commit was applied."""
    (line,) = timeline_lines([_entry(exact=False)], now=NOW, with_names=False)

    assert line.startswith("after 11:55:00Z  ")
    assert list(timeline_lines([], now=NOW, with_names=False)) == []


def test_json() -> None:
    """It has each fact by name; what is not known is null."""
    (told, without) = timeline_json([APPLIED, _entry()])["entries"]

    assert told == {
        "repository": "shop/api",
        "first": "2026-11-24T11:55:00Z",
        "last": "2026-11-24T11:55:00Z",
        "exact": True,
        "count": 1,
        "type": "Normal",
        "reason": "Changed",
        "message": "Applied c0ffee0: configured ConfigMap shop/web.",
        "commit": "c0ffee0" + "0" * 33,
        "subject": "Green",
        "author": "Ann",
        "trigger": "webhook,poll",
    }
    assert (without["commit"], without["author"]) == (None, None)
