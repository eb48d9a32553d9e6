"""From the report of a sync to the status of the GitRepository."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.samples import COMMIT, NOW, problem, report, result_of

from nopea.core.api.conditions import find
from nopea.core.api.entries import Condition
from nopea.core.api.status import MAX_ERRORS, MAX_HISTORY, GitRepositoryStatus
from nopea.core.git.source import Commit
from nopea.core.problem import Code, Problem
from nopea.core.status.conditions import cut
from nopea.core.status.report import Outcome, ReconcileReport, Result
from nopea.core.status.status import crashed, interrupted, progressing, reported

LATER = NOW + timedelta(hours=1)
NOTHING = GitRepositoryStatus()
LASTING, PASSING = problem(Code.INVALID, "no such field"), problem(Code.API_UNREACHABLE, "no route")


def _told(
    previous: GitRepositoryStatus, told: ReconcileReport, *, retry: bool = False, at: Any = NOW
) -> GitRepositoryStatus:
    return reported(previous, told, now=at, retry_at=at + timedelta(seconds=30) if retry else None)


def _conditions(status: GitRepositoryStatus, *types: str) -> dict[str, tuple[str, str]]:
    """Return status and reason of these conditions, by default of all but Fetched, Applied and Watching."""
    found = {each.type: (each.status, each.reason) for each in status.conditions}
    left_out = () if types else ("Fetched", "Applied", "Watching")
    return {type_: found[type_] for type_ in types or found if type_ not in left_out}


def _synced(**changes: Any) -> GitRepositoryStatus:
    return _told(NOTHING, report(objects=[result_of("a", Outcome.CREATED), result_of("b")], **changes))


def test_a_successful_sync_is_ready() -> None:
    """Counts, commit and times are those of the report; nothing is wrong."""
    status = _synced(revision="main@sha1:c0ffee0")

    assert {each.type: each.status for each in status.conditions} == dict.fromkeys(
        ("Applied", "Fetched", "Ready", "Watching"), "True"
    )
    assert (status.summary, status.observed_generation) == ("2 objects in sync", 1)
    assert (status.last_attempted_commit, status.last_applied_commit) == (COMMIT.id, COMMIT.id)
    assert status.revision == "main@sha1:c0ffee0"
    assert (status.resource_count, status.in_sync_count, status.failed_count) == (2, 2, 0)
    assert (status.last_sync_time, status.history[0].duration) == ("2026-11-24T05:00:00Z", "1.50s")
    assert status.next_sync_time is None
    assert len(status.history) == 1


def test_an_idle_sync_leaves_no_trace() -> None:
    """If nothing changed the status is equal, so an idle cluster sees no writes."""
    before = _synced()
    idle = report(objects=[result_of("a"), result_of("b")], id="01K", triggers=("reconcile",), seconds=9.0)

    assert _told(before, idle, at=LATER) == before


def test_an_idle_sync_leaves_no_trace_when_it_is_slow() -> None:
    """The progress of a slow sync does not add an entry to the history."""
    before = _synced()
    slow = progressing(before, generation=1, message="fetching and applying", now=LATER)
    idle = report(objects=[result_of("a"), result_of("b")], id="01K", triggers=("reconcile",), seconds=9.0)

    assert slow.summary == "fetching and applying"
    assert _told(slow, idle, at=LATER) == before


def test_a_slow_sync_that_recovers_is_in_the_history() -> None:
    """The progress of the sync does not hide earlier failures."""
    failed = _told(_synced(), report(Result.FAILED, objects=[], problems=[LASTING]), at=LATER)
    slow = progressing(failed, generation=1, message="fetching and applying", now=LATER)

    assert len(_told(slow, report(objects=[result_of("a"), result_of("b")]), at=LATER).history) == 3


@pytest.mark.parametrize(
    "news",
    [
        report(objects=[result_of("a", Outcome.CONFIGURED), result_of("b")]),
        report(objects=[result_of("a"), result_of("b")], commit=replace(COMMIT, id="d" * 40)),
        report(objects=[result_of("a"), result_of("b")], generation=2),
        report(objects=[result_of("a"), result_of("b")], handled_sync_at="now"),
        report(Result.FAILED, objects=[result_of("a"), result_of("b", Outcome.FAILED)], problems=[LASTING]),
    ],
    ids=["healed", "commit", "spec", "requested", "failed"],
)
def test_a_sync_with_a_new_result_sets_the_time(news: ReconcileReport) -> None:
    """A change, a new commit or spec, a request and a failure set the time and are in the history."""
    status = _told(_synced(), news, at=LATER)

    assert status.last_sync_time == "2026-11-24T06:00:00Z"
    assert len(status.history) == 2


def test_a_failure_that_a_user_must_correct_is_stalled() -> None:
    """Ready and Stalled have the reason; the last commit that was fully applied stays."""
    newer = Commit(id="beef" * 10, author="Bot", message="Break it", committed_at=NOW)
    failed = report(
        Result.FAILED,
        objects=[result_of("a"), result_of("b", Outcome.FAILED, LASTING)],
        problems=[LASTING],
        commit=newer,
    )

    status = _told(_synced(revision="main@sha1:c0ffee0"), failed, retry=True)

    assert _conditions(status) == {"Ready": ("False", "Invalid"), "Stalled": ("True", "Invalid")}
    assert _conditions(status, "Applied", "Fetched") == {
        "Applied": ("False", "Invalid"),
        "Fetched": ("True", "Succeeded"),
    }
    assert (status.last_attempted_commit, status.last_applied_commit) == (newer.id, COMMIT.id)
    assert status.revision == "main@sha1:c0ffee0"
    assert [(error.code, error.message) for error in status.errors] == [("NOPEA-K003", "no such field")]
    assert status.next_sync_time == "2026-11-24T05:00:30Z"
    ready = find(status.conditions, "Ready")
    assert ready is not None
    assert ready.message.startswith("Applied 1 of 2 objects. NOPEA-K003: no such field")


def test_a_transient_failure_is_reconciling() -> None:
    """By the rules of kstatus, Reconciling means that the controller is working on it."""
    status = _told(NOTHING, report(Result.FAILED, problems=[PASSING], commit=None), retry=True)

    assert _conditions(status) == {
        "Ready": ("False", "ApiUnreachable"),
        "Reconciling": ("True", "ProgressingWithRetry"),
    }


def test_a_sync_that_did_not_reach_git_keeps_the_known_commit() -> None:
    """While the Git server is down, the last commit and the counts stay in the status."""
    before = _synced()

    status = _told(before, report(Result.FAILED, problems=[PASSING], commit=None))

    assert status.last_attempted_commit == before.last_attempted_commit
    assert (status.resource_count, status.last_commit_author) == (2, "Deploy Bot")


def test_recovery_removes_all_signs_of_failure() -> None:
    """Errors, Stalled and the next retry are removed; the recovery is in the history."""
    failed = _told(_synced(), report(Result.FAILED, problems=[LASTING]), retry=True)

    status = _told(failed, report(objects=[result_of("a"), result_of("b")]), at=LATER)

    assert _conditions(status) == {"Ready": ("True", "Succeeded")}
    assert (status.errors, status.error_count, status.next_sync_time) == ((), 0, None)
    assert [entry.outcome for entry in status.history] == ["synced", "failed", "synced"]


@pytest.mark.parametrize(
    ("before", "ready"),
    [
        (NOTHING, "Unknown"),
        (_synced(), "True"),
        (_told(NOTHING, report(Result.FAILED, problems=[LASTING])), "False"),
    ],
    ids=["new", "synced", "failed"],
)
def test_suspending_keeps_the_known_state(before: GitRepositoryStatus, ready: str) -> None:
    """Ready keeps its status while the repository is suspended; nothing is retried or stalled."""
    status = _told(before, report(Result.SUSPENDED, commit=None, generation=2, handled_sync_at="now"))

    assert _conditions(status) == {"Ready": (ready, "Suspended"), "Suspended": ("True", "Suspended")}
    assert (status.summary or "").startswith("Suspended; ")
    assert (status.next_sync_time, status.observed_generation) == (None, 2)
    assert status.last_handled_sync_at == "now"
    assert status.history == before.history


def test_a_handled_request_is_echoed_and_not_forgotten() -> None:
    """The handled request stays in the status after later syncs."""
    handled = _synced(handled_sync_at="now")

    assert handled.last_handled_sync_at == "now"
    assert _told(handled, report(handled_sync_at="now")).last_handled_sync_at == "now"
    assert _told(handled, report()).last_handled_sync_at == "now"


def test_history_and_errors_are_bounded() -> None:
    """The history keeps the newest syncs and the status the first errors."""
    status = NOTHING
    for number in range(MAX_HISTORY + 5):
        problems = [problem(message=f"fault {number}.{fault}") for fault in range(MAX_ERRORS + 5)]
        status = _told(status, report(Result.FAILED, id=str(number), problems=problems))

    assert [entry.id for entry in status.history] == [str(14 - age) for age in range(MAX_HISTORY)]
    assert len(status.errors) == MAX_ERRORS
    assert status.errors[0].message == "fault 14.0"


def test_conditions_of_others_stay() -> None:
    """Conditions of other programs are kept in every case."""
    audited = Condition(type="Audited", status="True", reason="Ok", message="", last_transition_time="x")
    before = msgspec.structs.replace(_synced(), conditions=(audited,))

    for status in (
        _told(before, report()),
        _told(before, report(Result.SUSPENDED, commit=None)),
        progressing(before, generation=1, message="", now=NOW),
        crashed(before, problem=LASTING, generation=1, now=NOW),
    ):
        assert audited in status.conditions


def test_progress_does_not_change_ready() -> None:
    """A sync in progress keeps the status of Ready, unless the spec is new."""
    before = _synced()

    same = progressing(before, generation=1, message="fetching", now=LATER)
    other = progressing(before, generation=2, message="fetching", now=LATER)

    assert _conditions(same) == {"Ready": ("True", "Progressing"), "Reconciling": ("True", "Progressing")}
    assert _conditions(other)["Ready"] == ("Unknown", "Progressing")
    assert same.summary == "fetching"


def test_a_crashing_worker_is_stalled_with_the_reason() -> None:
    """The last line of the traceback is in the condition, and the error in the list."""
    bug = problem(Code.WORKER_CRASHED, "The worker of this GitRepository keeps crashing: ValueError: no.")

    status = crashed(_synced(), problem=bug, generation=1, now=NOW)

    assert _conditions(status) == {"Ready": ("False", "WorkerCrashed"), "Stalled": ("True", "WorkerCrashed")}
    stalled = find(status.conditions, "Stalled")
    assert stalled is not None
    assert "ValueError: no" in stalled.message
    assert [error.code for error in status.errors] == ["NOPEA-P001"]


@pytest.mark.parametrize(("text", "kept"), [("abc", "abc"), ("abcd", "abcd"), ("abcde", "abc…")])
def test_truncation_is_marked(text: str, kept: str) -> None:
    """The ellipsis counts as a character."""
    assert cut(text, 4) == kept


ANY_TEXT = st.text() | st.text(min_size=1, max_size=3).map(lambda text: text * 2000)
PROBLEMS = st.lists(
    st.builds(
        Problem,
        code=st.sampled_from(Code),
        message=ANY_TEXT,
        hint=ANY_TEXT,
        source=ANY_TEXT,
        object=ANY_TEXT,
    ),
    max_size=30,
)
COMMITS = st.none() | st.builds(
    Commit,
    id=st.sampled_from(["a" * 40, "b" * 64]),
    author=ANY_TEXT,
    message=st.text(max_size=200),
    committed_at=st.just(NOW),
)


@settings(deadline=None, max_examples=25)
@given(
    problems=PROBLEMS,
    commit=COMMITS,
    handled=st.text(max_size=256),
    result=st.sampled_from([Result.FAILED, Result.SUSPENDED]),
    seconds=st.floats(0, 1e6),
)
def test_every_status_is_valid(
    problems: list[Problem], commit: Commit | None, handled: str, result: Result, seconds: float
) -> None:
    """A status with a value beyond the schema's limits would be rejected, and the failure not be shown."""
    told = report(result, problems=problems, commit=commit, handled_sync_at=handled, seconds=seconds)

    for status in (
        _told(_synced(), told, retry=True),
        crashed(NOTHING, problem=(problems or [LASTING])[0], generation=1, now=NOW),
    ):
        assert msgspec.convert(msgspec.to_builtins(status), GitRepositoryStatus) == status


@pytest.mark.parametrize(("number", "shown"), [(0, "after 0 objects."), (1, "after 1 object.")])
def test_an_interruption_says_how_far_the_sync_came(number: int, shown: str) -> None:
    """The message is in Ready and in an Event."""
    done = report(Result.SUPERSEDED, objects=[result_of("a", Outcome.CREATED)] * number)

    _, note = interrupted(NOTHING, done, now=NOW)

    assert shown in note
