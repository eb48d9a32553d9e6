"""Which commit a reference means, according to the status."""

from __future__ import annotations

import pytest

from nopea.cli.commit_reference import UnknownCommitError, find_commit, known_commits, previous_commit
from nopea.core.api.status import GitRepositoryStatus, HistoryEntry

OLD, MIDDLE, NEW = "a" * 40, "b" * 40, "c" * 40


def passed(commit: str, outcome: str = "synced", *, trigger: str = "poll") -> HistoryEntry:
    """Return a pass of the history."""
    return HistoryEntry(
        id="", commit=commit, trigger=trigger, outcome=outcome, started="2026-11-24T05:00:00Z", duration="1s"
    )


def status(
    *entries: HistoryEntry, applied: str | None = None, attempted: str | None = None
) -> GitRepositoryStatus:
    """Return a status with this history, newest first."""
    return GitRepositoryStatus(
        history=entries, last_applied_commit=applied, last_attempted_commit=attempted or applied
    )


def test_going_back_twice_goes_to_older_commits() -> None:
    """What a rollback applied is passed over, so that the second does not return to what the first left."""
    first = status(
        passed(MIDDLE, trigger="rollback"), passed(NEW), passed(MIDDLE), passed(OLD), applied=MIDDLE
    )
    healed = status(
        passed(MIDDLE, trigger="object change,rollback"),
        passed(NEW),
        passed(MIDDLE),
        passed(OLD),
        applied=MIDDLE,
    )

    assert previous_commit(first) == previous_commit(healed) == OLD


def test_after_resume_the_line_of_the_branch_counts_again() -> None:
    """The rollback between is no commit that was applied before."""
    found = status(
        passed(NEW, trigger="resume"),
        passed(OLD, trigger="rollback"),
        passed(NEW),
        passed(MIDDLE),
        applied=NEW,
    )

    assert previous_commit(found) == MIDDLE


def test_a_commit_that_came_twice_is_followed_in_time() -> None:
    """A branch that was set back and forth: the latest one before counts."""
    found = status(passed(OLD), passed(NEW), passed(OLD), applied=OLD)

    assert previous_commit(found) == NEW


def test_the_commit_before_is_the_last_one_that_synced_and_is_not_applied_now() -> None:
    """Failed passes and later passes of the same commit are passed over."""
    found = status(passed(NEW), passed(NEW), passed(MIDDLE, "failed"), passed(OLD), applied=NEW)

    assert previous_commit(found) == OLD


def test_after_a_commit_that_failed_the_last_good_one_is_meant() -> None:
    """Part of the failed one may be in the cluster: to go back is to undo that."""
    found = status(passed(NEW, "failed"), passed(MIDDLE), passed(OLD), applied=MIDDLE, attempted=NEW)

    assert previous_commit(found) == MIDDLE


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (status(), "No commit was ever applied"),
        (status(passed("", "failed")), "No commit was ever applied"),
        (status(passed(NEW), passed(MIDDLE, "failed"), applied=NEW), "no commit that was applied before"),
        (
            status(passed(OLD, trigger="rollback"), passed(NEW), applied=OLD),
            "no commit that was applied before",
        ),
    ],
)
def test_without_a_commit_before_it_says_why(found: GitRepositoryStatus, says: str) -> None:
    """And what to do."""
    with pytest.raises(UnknownCommitError, match=says) as caught:
        previous_commit(found)

    assert caught.value.hint


def test_a_short_id_is_found_in_the_history() -> None:
    """Also one that failed, and the last applied one that the history has lost."""
    found = status(passed(NEW), passed(MIDDLE, "failed"), applied=OLD)

    assert [find_commit(one[:7], found) for one in (NEW, MIDDLE, OLD)] == [NEW, MIDDLE, OLD]
    assert find_commit(NEW[:9].upper(), found) == NEW


@pytest.mark.parametrize("text", [OLD, "0" * 64])
def test_a_full_id_needs_no_history(text: str) -> None:
    """Git is asked when it is applied."""
    assert find_commit(text, status()) == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ccccc", "is not a commit id"),
        ("main", "is not a commit id"),
        ("", "is not a commit id"),
        ("dddddddd", "starts with dddddddd"),
        ("c" * 39, "is ambiguous"),
    ],
)
def test_what_cannot_be_resolved_is_refused(text: str, says: str) -> None:
    """Too short, no id, unknown, ambiguous: each in its own words."""
    found = status(passed("c" * 40), passed("c" * 39 + "d"))

    with pytest.raises(UnknownCommitError, match=says) as caught:
        find_commit(text, found)

    assert caught.value.hint


def test_commits_are_known_once_each() -> None:
    """Newest first, without the passes that saw none."""
    found = status(passed(NEW), passed(""), passed(OLD), passed(NEW), applied=NEW)

    assert known_commits(found) == (NEW, OLD)
