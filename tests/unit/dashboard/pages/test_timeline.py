"""The timeline page as values: how long things lasted."""

from __future__ import annotations

from typing import Any

from tests.fakes.dashboard import fine

from nopea.dashboard.pages.timeline import history_of, lasted


def _sync(started: str, outcome: str) -> dict[str, Any]:
    return {
        "id": "", "commit": "c0ffee" * 6, "trigger": "poll,webhook", "outcome": outcome,
        "started": f"2026-11-24T{started}Z", "duration": "0.42s", "changed": int(outcome == "synced"),
    }  # fmt: skip


def _revision(commit: str, applied: str | None) -> dict[str, Any]:
    entry = {
        "commit": commit * 6,
        "message": f"Commit {commit}",
        "author": "Ada <a@b>",
        "time": "2026-11-24T04:00:00Z",
    }
    return {**entry, **({"applied": f"2026-11-24T{applied}Z"} if applied else {})}


def test_revision_was_in_force_until_the_next_one_that_was_applied() -> None:
    """One that was never applied in full was never in force."""
    revisions = [_revision("cccccc", "06:30:00"), _revision("bbbbbb", None), _revision("aaaaaa", "05:00:00")]
    newest, never, oldest = history_of(fine(revisions=revisions), ()).revisions
    assert newest.span is not None
    assert (newest.span.until, newest.span.text) == ("", "")
    assert never.span is None
    assert oldest.span is not None
    assert oldest.span.text == "1h 30m"
    assert oldest.author == "Ada"


def test_failure_lasts_from_its_first_sync_to_the_one_that_recovered() -> None:
    """The present failure is dated by the status, and is the newest."""
    history = [_sync("05:20:00", "failed"), _sync("05:12:00", "synced"), _sync("05:03:00", "failed"),
               _sync("05:01:00", "failed"), _sync("05:00:00", "synced")]  # fmt: skip
    found = history_of(fine(history=history, failingSince="2026-11-24T05:20:00Z"), ()).failures
    assert [(each.since, each.until, each.text) for each in found] == [
        ("2026-11-24T05:20:00Z", "", ""),
        ("2026-11-24T05:01:00Z", "2026-11-24T05:12:00Z", "11m"),
    ]


def test_syncs_and_entries_are_there_newest_first() -> None:
    """Without Events, what the status remembers."""
    history = [_sync("05:12:00", "failed"), _sync("05:00:00", "synced")]
    page = history_of(fine(history=history), ())
    assert [(each.outcome, each.counts, each.trigger) for each in page.syncs] == [
        ("failed", "nothing changed", "poll, webhook"),
        ("synced", "1 changed", "poll, webhook"),
    ]
    assert [each.reason for each in page.entries] == ["Failed", "Synced"]


def test_durations_have_two_units_at_most() -> None:
    """As people say them."""
    assert [lasted(seconds) for seconds in (0.4, 42, 303, 7_800, 86_400 * 3 + 4 * 3_600 + 59)] == [
        "under 1s", "42s", "5m 3s", "2h 10m", "3d 4h",
    ]  # fmt: skip
