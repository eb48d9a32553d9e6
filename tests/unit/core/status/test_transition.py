"""A repository's step from one status to the next, as signals read it."""

from __future__ import annotations

from tests.fakes.samples import NOW, problem, report, repository, result_of

from nopea.core.api.status import GitRepositoryStatus
from nopea.core.status.report import Outcome, ReconcileReport, Result
from nopea.core.status.status import reported
from nopea.core.status.transition import Transition

SYNCED = report(objects=[result_of("a", Outcome.CREATED)])
FAILED = report(Result.FAILED, problems=[problem()])


def step(before: GitRepositoryStatus, done: ReconcileReport) -> Transition:
    """Return the transition that a pass makes."""
    after = reported(before, done, now=NOW, retry_at=None)
    return Transition(repository=repository(), before=before, after=after, report=done, at=NOW)


def test_the_first_sync_is_first_once() -> None:
    """What is in the status, not what a process remembers, says whether a sync is the first."""
    first = step(GitRepositoryStatus(), SYNCED)
    second = step(first.after, SYNCED)

    assert first.is_first_sync
    assert not second.is_first_sync


def test_failures_are_counted_and_recovery_is_seen() -> None:
    """Failed passes in a row are in the status, so that a restart does not count anew."""
    once = step(GitRepositoryStatus(), FAILED)
    twice = step(once.after, FAILED)
    well = step(twice.after, SYNCED)

    assert (once.after.failures, twice.after.failures, well.after.failures) == (1, 2, 0)
    assert [one.is_recovery for one in (once, twice, well)] == [False, False, True]


def test_a_pass_that_found_nothing_is_no_news() -> None:
    """Consumers would count deployments that were none."""
    first = step(GitRepositoryStatus(), SYNCED)
    again = step(first.after, report(objects=[result_of("a")]))

    assert first.is_reportable
    assert not again.is_reportable


def test_the_end_of_a_repository_is_news() -> None:
    """No status is left that could differ."""
    assert Transition(
        repository=repository(),
        before=GitRepositoryStatus(),
        after=GitRepositoryStatus(),
        report=report(Result.DELETED, commit=None),
        at=NOW,
    ).is_reportable


def test_health_alone_is_news_when_a_condition_changed() -> None:
    """Health is looked at often and seldom another."""
    one = Transition(
        repository=repository(),
        before=GitRepositoryStatus(),
        after=GitRepositoryStatus(),
        report=None,
        at=NOW,
    )
    assert not one.is_reportable
