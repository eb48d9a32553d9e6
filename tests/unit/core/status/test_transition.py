"""The step of a repository from one status to the next, from which all notifications are derived."""

from __future__ import annotations

from tests.fakes.samples import NOW, problem, report, repository, result_of

from nopea.core.api.status import GitRepositoryStatus
from nopea.core.status.report import Outcome, ReconcileReport, Result
from nopea.core.status.status import reported
from nopea.core.status.transition import Transition

SYNCED = report(objects=[result_of("a", Outcome.CREATED)])
FAILED = report(Result.FAILED, problems=[problem()])


def step(before: GitRepositoryStatus, done: ReconcileReport) -> Transition:
    """Return the transition of a sync."""
    after = reported(before, done, now=NOW, retry_at=None)
    return Transition(repository=repository(), before=before, after=after, report=done, at=NOW)


def test_a_first_sync_happens_once() -> None:
    """Whether a sync is the first one is decided by the status, which survives restarts."""
    first = step(GitRepositoryStatus(), SYNCED)
    second = step(first.after, SYNCED)

    assert first.is_first_sync
    assert not second.is_first_sync


def test_failures_are_counted_and_recovery_is_seen() -> None:
    """The count of failures in a row is in the status, so a restart does not reset it."""
    once = step(GitRepositoryStatus(), FAILED)
    twice = step(once.after, FAILED)
    well = step(twice.after, SYNCED)

    assert (once.after.failures, twice.after.failures, well.after.failures) == (1, 2, 0)
    assert [one.is_recovery for one in (once, twice, well)] == [False, False, True]


def test_a_sync_without_changes_is_not_reported() -> None:
    """Consumers would count a deployment that did not happen."""
    first = step(GitRepositoryStatus(), SYNCED)
    again = step(first.after, report(objects=[result_of("a")]))

    assert first.is_reportable
    assert not again.is_reportable


def test_a_deletion_is_reported() -> None:
    """A deletion is reported although the status does not differ."""
    assert Transition(
        repository=repository(),
        before=GitRepositoryStatus(),
        after=GitRepositoryStatus(),
        report=report(Result.DELETED, commit=None),
        at=NOW,
    ).is_reportable


def test_a_health_check_without_changes_is_not_reported() -> None:
    """A health check is reported only if a condition changed."""
    one = Transition(
        repository=repository(),
        before=GitRepositoryStatus(),
        after=GitRepositoryStatus(),
        report=None,
        at=NOW,
    )
    assert not one.is_reportable
