"""The last revisions: one entry for each commit, whatever syncs came between."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tests.fakes.samples import COMMIT, NOW, problem, report, result_of
from tests.fakes.transitions import edited

from nopea.core.api.entries import MAX_REVERTED, RevisionEntry
from nopea.core.api.pin import Pin
from nopea.core.api.status import MAX_REVISIONS
from nopea.core.git.source import Commit
from nopea.core.plan.model import Reason
from nopea.core.problem import Code
from nopea.core.status.report import Outcome, ReconcileReport, Result
from nopea.core.status.revisions import revisions_after

CREATED = report(objects=[result_of("a", Outcome.CREATED), result_of("b", Outcome.CREATED)])
IDLE = report(objects=[result_of("a"), result_of("b")])
HEALED = report(objects=[replace(edited(), outcome=Outcome.CONFIGURED, reason=Reason.MANUAL_DRIFT)])


def commit(letter: str) -> Commit:
    """Return another commit."""
    return replace(COMMIT, id=letter * 40, message=f"Commit {letter}")


def after(*reports: ReconcileReport) -> tuple[RevisionEntry, ...]:
    """Return the revisions after these syncs, one each minute."""
    found: tuple[RevisionEntry, ...] = ()
    for number, each in enumerate(reports):
        found = revisions_after(found, each, now=NOW + timedelta(minutes=number))
    return found


def test_a_commit_that_is_applied_is_listed_with_its_author() -> None:
    """Its numbers are those of all its syncs; what was reverted is counted apart."""
    (entry,) = after(CREATED, IDLE, HEALED, IDLE)

    assert (entry.commit, entry.message, entry.author) == (COMMIT.id, COMMIT.message, COMMIT.author)
    assert (entry.applied, entry.created, entry.changed, entry.failed) == ("2026-11-24T05:00:00Z", 2, 0, 0)
    assert len(entry.reverted) == 1
    assert after(CREATED, IDLE) == after(CREATED)


def test_drift_that_was_reverted_is_named_without_its_values() -> None:
    """The object, the fields and the manager are enough to ask somebody; the last ones are kept."""
    (entry,) = after(CREATED, *[HEALED] * (MAX_REVERTED + 2))

    assert len(entry.reverted) == MAX_REVERTED
    assert set(entry.reverted) == {"ConfigMap shop/web: .data.greeting, by kubectl-edit"}


def test_a_commit_that_fails_in_part_is_not_applied() -> None:
    """Until a later sync applies the rest."""
    wrong = problem(Code.INVALID)
    half = report(
        Result.FAILED,
        objects=[result_of("a", Outcome.CREATED), result_of("b", Outcome.FAILED, wrong)],
        problems=[wrong],
    )
    rest = report(objects=[result_of("a"), result_of("b", Outcome.CREATED)])

    (failed,), (applied,) = after(half), after(half, rest)
    assert (failed.applied, failed.created, failed.failed) == (None, 1, 1)
    assert (applied.applied, applied.created, applied.failed) == ("2026-11-24T05:01:00Z", 2, 0)


def test_failures_of_git_add_nothing() -> None:
    """The commit that stays in effect is applied all the same."""
    away = report(Result.FAILED, objects=IDLE.objects, problems=[problem(Code.GIT_UNREACHABLE)])
    blind = report(Result.FAILED, problems=[problem(Code.GIT_UNREACHABLE)], commit=None)

    assert after(CREATED, away, blind) == after(CREATED)
    assert after(blind) == ()


def test_each_return_to_a_commit_is_an_entry() -> None:
    """A rollback and the end of a rollback are deployments too; the oldest entries go."""
    old, new = replace(IDLE, commit=commit("a")), replace(IDLE, commit=commit("b"))
    back = replace(old, pin=Pin(commit="a" * 40, instead_of=None))

    found = after(old, new, back, back, old, new)
    assert [(entry.commit[0], entry.rollback) for entry in found] == [
        ("b", False), ("a", False), ("a", True), ("b", False), ("a", False),
    ]  # fmt: skip
    many = after(*(replace(IDLE, commit=commit("ab"[n % 2])) for n in range(30)))
    assert len(many) == MAX_REVISIONS


def test_syncs_without_a_result_add_nothing() -> None:
    """They were superseded, or the repository is suspended or deleted."""
    for result in (Result.SUPERSEDED, Result.SUSPENDED, Result.DELETED):
        assert after(replace(CREATED, result=result)) == ()
