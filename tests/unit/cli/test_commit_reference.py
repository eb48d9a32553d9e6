"""Which commit a reference means, according to the revisions and the history in the status."""

from __future__ import annotations

import pytest

from nopea.cli.commit_reference import UnknownCommitError, find_commit, known_commits, previous_commit
from nopea.core.api.entries import HistoryEntry, RevisionEntry
from nopea.core.api.status import GitRepositoryStatus

TIME = "2026-11-24T05:00:00Z"
OLD, MIDDLE, NEW = "a" * 40, "b" * 40, "c" * 40


def passed(commit: str, outcome: str = "synced", *, rollback: bool = False) -> RevisionEntry:
    """Return a revision that was applied, or failed."""
    return RevisionEntry(
        commit=commit,
        message="Change",
        author="Deploy Bot",
        time=TIME,
        applied=TIME if outcome == "synced" else None,
        rollback=rollback,
    )


def status(
    *entries: RevisionEntry, applied: str | None = None, attempted: str | None = None
) -> GitRepositoryStatus:
    """Return a status with these revisions, newest first."""
    return GitRepositoryStatus(
        revisions=entries, last_applied_commit=applied, last_attempted_commit=attempted or applied
    )


def test_going_back_twice_goes_to_older_commits() -> None:
    """Syncs under a rollback are skipped, so a second rollback goes further back."""
    found = status(passed(MIDDLE, rollback=True), passed(NEW), passed(MIDDLE), passed(OLD), applied=MIDDLE)

    assert previous_commit(found) == OLD


def test_after_resume_the_commits_of_the_branch_count_again() -> None:
    """A commit that only a rollback applied is not the previous commit."""
    found = status(
        passed(NEW),
        passed(OLD, rollback=True),
        passed(NEW),
        passed(MIDDLE),
        applied=NEW,
    )

    assert previous_commit(found) == MIDDLE


def test_the_previous_commit_is_the_latest_other_one() -> None:
    """If a branch was reset to an older commit, the commit applied just before counts."""
    found = status(passed(OLD), passed(NEW), passed(OLD), applied=OLD)

    assert previous_commit(found) == NEW


def test_the_previous_commit_was_synced_and_differs_from_the_applied_one() -> None:
    """Failed syncs and repeated syncs of the applied commit are skipped."""
    found = status(passed(NEW), passed(NEW), passed(MIDDLE, "failed"), passed(OLD), applied=NEW)

    assert previous_commit(found) == OLD


def test_after_a_failed_commit_the_last_applied_one_is_the_previous() -> None:
    """The failed commit may be partly applied, so a rollback reverts it."""
    found = status(passed(NEW, "failed"), passed(MIDDLE), passed(OLD), applied=MIDDLE, attempted=NEW)

    assert previous_commit(found) == MIDDLE


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (status(), "No commit was ever applied"),
        (status(passed(NEW, "failed")), "No commit was ever applied"),
        (status(passed(NEW), passed(MIDDLE, "failed"), applied=NEW), "no commit that was applied before"),
        (
            status(passed(OLD, rollback=True), passed(NEW), applied=OLD),
            "no commit that was applied before",
        ),
    ],
)
def test_without_a_previous_commit_the_error_says_why(found: GitRepositoryStatus, says: str) -> None:
    """The error has a hint as well."""
    with pytest.raises(UnknownCommitError, match=says) as caught:
        previous_commit(found)

    assert caught.value.hint


def test_a_short_id_is_found_in_the_history() -> None:
    """Failed commits are found too, and the applied commit even if the history no longer lists it."""
    found = status(passed(NEW), passed(MIDDLE, "failed"), applied=OLD)

    assert [find_commit(one[:7], found) for one in (NEW, MIDDLE, OLD)] == [NEW, MIDDLE, OLD]
    assert find_commit(NEW[:9].upper(), found) == NEW


@pytest.mark.parametrize("text", [OLD, "0" * 64])
def test_a_full_id_needs_no_history(text: str) -> None:
    """A full id is accepted as it is; Git is asked for it when it is applied."""
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
    """A text that is too short, not an id, unknown or ambiguous has its own message and a hint."""
    found = status(passed("c" * 40), passed("c" * 39 + "d"))

    with pytest.raises(UnknownCommitError, match=says) as caught:
        find_commit(text, found)

    assert caught.value.hint


def test_each_known_commit_is_listed_once() -> None:
    """The commits of syncs come first, newest first; syncs that read no commit are skipped."""
    syncs = [
        HistoryEntry(id="", commit=commit, trigger="poll", outcome="synced", started=TIME, duration="1s")
        for commit in (NEW, "", NEW)
    ]
    found = GitRepositoryStatus(
        history=tuple(syncs), revisions=(passed(NEW), passed(OLD)), last_applied_commit=MIDDLE
    )

    assert known_commits(found) == (NEW, OLD, MIDDLE)
