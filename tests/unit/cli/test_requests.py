"""Whether what somebody asked for has been done, and how it ended."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.fakes.samples import NOW, problem, report, repository

from nopea.cli.requests import PinRequest, RequestProgress, SyncRequest, stage_of, verdict_of
from nopea.core.api.names import ROLLBACK_ANNOTATION, SYNC_REQUESTED_ANNOTATION
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
    """Return the status after a pass that ended so."""
    problems = [problem()] if result is Result.FAILED else []
    return reported(previous, report(result, **{"problems": problems, **facts}), now=NOW, retry_at=None)


def asked(value: str, status: GitRepositoryStatus) -> Repository:
    """Return a repository with this request and status."""
    found = repository(annotations={SYNC_REQUESTED_ANNOTATION: value})
    return _with(found, status)


def pinned(commit: str, status: GitRepositoryStatus) -> Repository:
    """Return a repository with this pin (empty: none) and status."""
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
def test_a_handled_request_has_the_verdict_of_its_pass(result: Result, verdict: RequestProgress) -> None:
    """A pass that fails handles it too."""
    status = after(result, handled_sync_at=MINE)

    assert SyncRequest(MINE).verdict(asked(MINE, status)) is verdict


def test_an_older_pass_answers_nothing() -> None:
    """It looked at the world before the request."""
    status = after(Result.SYNCED, handled_sync_at=OLDER)

    assert SyncRequest(MINE).verdict(asked(MINE, status)) is None
    assert SyncRequest(MINE).verdict(asked(MINE, NOTHING)) is None


def test_a_later_request_of_somebody_else_answers_mine() -> None:
    """Passes handle the latest value only; all who asked before must end as well."""
    request = SyncRequest(MINE)
    status = after(Result.SYNCED, handled_sync_at=LATER)

    assert request.verdict(asked(LATER, after(Result.SYNCED, handled_sync_at=OLDER))) is None
    assert request.verdict(asked(LATER, status)) is RequestProgress.SYNCED


def test_a_later_request_that_was_replaced_again_answers_too() -> None:
    """It was seen in the annotation, after mine."""
    request = SyncRequest(MINE)
    request.verdict(asked(LATER, NOTHING))

    assert (
        request.verdict(asked("third", after(Result.FAILED, handled_sync_at=LATER))) is RequestProgress.FAILED
    )


def test_an_annotation_that_was_taken_away_answers_nothing() -> None:
    """A status that never handled anything is no answer."""
    request = SyncRequest(MINE)

    assert request.verdict(asked("", NOTHING)) is None


def test_the_next_pass_under_way_does_not_hide_how_it_ended() -> None:
    """The phase is that of the next one; the history tells of the last."""
    for result, verdict in ((Result.SYNCED, RequestProgress.SYNCED), (Result.FAILED, RequestProgress.FAILED)):
        status = progressing(after(result), generation=1, message="fetching", now=NOW)

        assert verdict_of(status) is verdict


def test_a_rollback_is_answered_when_a_pass_tells_of_it() -> None:
    """Of this commit, not of the one before; with the verdict of that pass."""
    main = Ref(RefKind.BRANCH, "main")
    request = PinRequest(NEW)
    before = after(Result.SYNCED, pin=Pin(commit=OLD, instead_of=main))

    assert request.verdict(pinned(NEW, NOTHING)) is None
    assert request.verdict(pinned(NEW, before)) is None
    for result in (Result.SYNCED, Result.FAILED, Result.SUSPENDED):
        status = after(result, before, pin=Pin(commit=NEW, instead_of=main))
        assert str(request.verdict(pinned(NEW, status))) == str(result)


def test_a_release_is_answered_when_the_condition_is_gone() -> None:
    """By the pass that followed the branch again."""
    held = after(Result.SYNCED, pin=Pin(commit=OLD, instead_of=Ref(RefKind.BRANCH, "main")))
    released = after(Result.SYNCED, held)

    assert PinRequest("").verdict(pinned("", held)) is None
    assert PinRequest("").verdict(pinned("", released)) is RequestProgress.SYNCED


def test_a_rollback_that_could_not_be_read_is_no_answer_to_the_next() -> None:
    """The pass that met the malformed one is not the pass that was asked for."""
    broken = after(Result.FAILED, problems=[problem(Code.ROLLBACK_INVALID)])

    assert PinRequest("").verdict(pinned("", broken)) is None
    assert PinRequest("").verdict(pinned("", after(Result.SYNCED, broken))) is RequestProgress.SYNCED


@pytest.mark.parametrize("now", [OLD, "", "main"])
def test_a_rollback_that_somebody_replaced_never_comes_true(now: str) -> None:
    """By another commit, by a release, by rubbish."""
    assert PinRequest(NEW).verdict(pinned(now, NOTHING)) is RequestProgress.REPLACED


def test_what_the_controller_is_doing() -> None:
    """A pass that takes its time, a worker that crashes; a quiet one says nothing."""
    running = progressing(NOTHING, generation=1, message="fetching and applying", now=NOW)
    broken = crashed(NOTHING, problem=problem(Code.WORKER_CRASHED, "boom"), generation=1, now=NOW)

    assert stage_of(running) == "Initializing: fetching and applying"
    assert "boom" in stage_of(broken)
    assert stage_of(NOTHING) == stage_of(after(Result.SYNCED)) == ""
