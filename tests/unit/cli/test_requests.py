"""Whether a user's request has been handled, and with which result."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.fakes.samples import NOW, problem, report, repository

from nopea.cli.requests import HealRequest, PinRequest, RequestProgress, SyncRequest, stage_of, verdict_of
from nopea.core.api.names import HEAL_REQUESTED_ANNOTATION, ROLLBACK_ANNOTATION, SYNC_REQUESTED_ANNOTATION
from nopea.core.api.pin import Pin
from nopea.core.api.repository import Repository
from nopea.core.api.status import GitRepositoryStatus
from nopea.core.git.source import Ref, RefKind
from nopea.core.problem import Code
from nopea.core.status.report import Result
from nopea.core.status.status import crashed, progressing, reported

MINE, LATER, OLDER = "2026-11-24T05:00:01Z", "2026-11-24T05:00:02Z", "2026-11-24T05:00:00Z"
OLD, NEW = "a" * 40, "b" * 40
NOTHING = GitRepositoryStatus()


def after(result: Result, previous: GitRepositoryStatus = NOTHING, **facts: Any) -> GitRepositoryStatus:
    """Return the status after a sync with this result."""
    problems = [problem()] if result is Result.FAILED else []
    return reported(previous, report(result, **{"problems": problems, **facts}), now=NOW, retry_at=None)


def asked(value: str, status: GitRepositoryStatus) -> Repository:
    """Return a repository with this sync request and status."""
    found = repository(annotations={SYNC_REQUESTED_ANNOTATION: value})
    return _with(found, status)


def pinned(commit: str, status: GitRepositoryStatus) -> Repository:
    """Return a repository with this rollback annotation (empty: none) and status."""
    found = repository(annotations={ROLLBACK_ANNOTATION: commit} if commit else {})
    return _with(found, status)


def _with(found: Repository, status: GitRepositoryStatus) -> Repository:
    return replace(found, status=status)


@pytest.mark.parametrize(
    ("result", "verdict"),
    [
        (Result.SYNCED, RequestProgress.SYNCED),
        (Result.FAILED, RequestProgress.FAILED),
        (Result.SUSPENDED, RequestProgress.SUSPENDED),
    ],
)
def test_a_handled_request_has_the_verdict_of_its_sync(result: Result, verdict: RequestProgress) -> None:
    """A failed or suspended sync handles the request as well."""
    status = after(result, handled_sync_at=MINE)

    assert SyncRequest(MINE).verdict(asked(MINE, status)) is verdict


def test_a_sync_before_the_request_has_no_verdict() -> None:
    """A sync that handled an older request, or none, does not count."""
    status = after(Result.SYNCED, handled_sync_at=OLDER)

    assert SyncRequest(MINE).verdict(asked(MINE, status)) is None
    assert SyncRequest(MINE).verdict(asked(MINE, NOTHING)) is None


def test_a_handled_later_request_answers_an_earlier_one() -> None:
    """A sync handles only the latest value, so it also ends the wait for all earlier ones."""
    request = SyncRequest(MINE)
    status = after(Result.SYNCED, handled_sync_at=LATER)

    assert request.verdict(asked(LATER, after(Result.SYNCED, handled_sync_at=OLDER))) is None
    assert request.verdict(asked(LATER, status)) is RequestProgress.SYNCED


def test_a_later_request_that_was_replaced_counts_as_well() -> None:
    """A value that was seen in the annotation after the own one is later, even if a third has replaced it."""
    request = SyncRequest(MINE)
    request.verdict(asked(LATER, NOTHING))

    assert (
        request.verdict(asked("third", after(Result.FAILED, handled_sync_at=LATER))) is RequestProgress.FAILED
    )


def test_a_removed_annotation_has_no_verdict() -> None:
    """A removed annotation and a status that has handled nothing are not an answer."""
    request = SyncRequest(MINE)

    assert request.verdict(asked("", NOTHING)) is None


def test_a_sync_in_progress_does_not_hide_the_last_verdict() -> None:
    """The conditions describe the sync in progress; the verdict comes from the history."""
    for result, verdict in ((Result.SYNCED, RequestProgress.SYNCED), (Result.FAILED, RequestProgress.FAILED)):
        status = progressing(after(result), generation=1, message="fetching", now=NOW)

        assert verdict_of(status) is verdict


def test_a_rollback_is_answered_by_the_condition() -> None:
    """The condition must name the requested commit; the verdict is that of the sync."""
    main = Ref(RefKind.BRANCH, "main")
    request = PinRequest(NEW)
    before = after(Result.SYNCED, pin=Pin(commit=OLD, instead_of=main, arguments="api -n shop"))

    assert request.verdict(pinned(NEW, NOTHING)) is None
    assert request.verdict(pinned(NEW, before)) is None
    for result in (Result.SYNCED, Result.FAILED, Result.SUSPENDED):
        status = after(result, before, pin=Pin(commit=NEW, instead_of=main, arguments="api -n shop"))
        assert str(request.verdict(pinned(NEW, status))) == str(result)


def test_a_release_is_answered_when_the_condition_is_gone() -> None:
    """The verdict is that of the sync that follows the branch again."""
    held = after(
        Result.SYNCED, pin=Pin(commit=OLD, instead_of=Ref(RefKind.BRANCH, "main"), arguments="api -n shop")
    )
    released = after(Result.SYNCED, held)

    assert PinRequest("").verdict(pinned("", held)) is None
    assert PinRequest("").verdict(pinned("", released)) is RequestProgress.SYNCED


def test_a_sync_with_an_invalid_rollback_does_not_answer_a_release() -> None:
    """A sync that failed because of an invalid annotation did not follow the branch."""
    broken = after(Result.FAILED, problems=[problem(Code.ROLLBACK_INVALID)])

    assert PinRequest("").verdict(pinned("", broken)) is None
    assert PinRequest("").verdict(pinned("", after(Result.SYNCED, broken))) is RequestProgress.SYNCED


@pytest.mark.parametrize("now", [OLD, "", "main"])
def test_a_replaced_rollback_ends_the_wait(now: str) -> None:
    """Another commit, a release or an invalid value replaces the request."""
    assert PinRequest(NEW).verdict(pinned(now, NOTHING)) is RequestProgress.REPLACED


def test_what_the_controller_is_doing() -> None:
    """A sync in progress and a crashing worker are described; otherwise the text is empty."""
    running = progressing(NOTHING, generation=1, message="fetching and applying", now=NOW)
    broken = crashed(NOTHING, problem=problem(Code.WORKER_CRASHED, "boom"), generation=1, now=NOW)

    assert stage_of(running) == "fetching and applying"
    assert "boom" in stage_of(broken)
    assert stage_of(NOTHING) == stage_of(after(Result.SYNCED)) == ""


@pytest.mark.parametrize(
    ("handled", "requested", "progress"),
    [
        ("", "t1", None),
        ("t1", "t1", RequestProgress.SYNCED),
        ("t1", "t2", RequestProgress.SYNCED),
        ("", "t2", RequestProgress.REPLACED),
    ],
)
def test_a_request_to_heal(handled: str, requested: str, progress: RequestProgress | None) -> None:
    """It is handled once the status says so; a later request replaces one that was not handled."""
    status = after(Result.SYNCED, handled_heal_at=handled)
    found = _with(repository(annotations={HEAL_REQUESTED_ANNOTATION: requested}), status)
    request = HealRequest("t1")

    assert request.verdict(found) is progress
    if progress is RequestProgress.REPLACED:
        assert "all objects" in request.replaced(found)
