"""What a report says about its sync."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.fakes.samples import problem, report, result_of
from tests.fakes.transitions import edited

from nopea.core.problem import Code
from nopea.core.status.report import Outcome, Result


@pytest.mark.parametrize(
    ("outcomes", "changed"),
    [
        ([], False),
        ([Outcome.UNCHANGED, Outcome.SKIPPED, Outcome.FAILED], False),
        ([Outcome.UNCHANGED, Outcome.CREATED], True),
        ([Outcome.CONFIGURED], True),
    ],
)
def test_a_sync_changed_the_cluster_if_an_object_was_written(outcomes: list[Outcome], changed: bool) -> None:
    """Failed and skipped objects are not changes."""
    assert report(objects=[result_of(str(n), one) for n, one in enumerate(outcomes)]).changed is changed


@pytest.mark.parametrize(
    ("outcome", "left", "answers"),
    [
        (Outcome.CONFIGURED, False, (False, True)),
        (Outcome.CONFIGURED, True, (True, False)),
        (Outcome.UNCHANGED, True, (True, False)),
        (Outcome.SKIPPED, False, (True, False)),
        (Outcome.FAILED, False, (True, False)),
    ],
)
def test_drift_is_left_or_healed(outcome: Outcome, left: bool, answers: tuple[bool, bool]) -> None:
    """An object whose drift remains is not healed, even if it was written."""
    one = replace(edited(), outcome=outcome, left=left)

    assert (one.drifts, one.healed) == answers


def test_a_sync_is_transient_if_all_its_problems_are() -> None:
    """One problem that a user must correct makes the whole sync a lasting failure."""
    passing, lasting = problem(Code.GIT_TIMEOUT), problem(Code.INVALID)

    assert report(Result.FAILED, problems=[passing, passing]).transient
    assert not report(Result.FAILED, problems=[passing, lasting]).transient


def test_each_code_is_listed_once() -> None:
    """The codes are in the order in which they were found."""
    codes = [Code.INVALID, Code.FORBIDDEN, Code.INVALID]

    assert report(problems=[problem(code) for code in codes]).codes == (Code.INVALID, Code.FORBIDDEN)


def test_counts_of_several_outcomes_are_added() -> None:
    """The count of several outcomes is the sum of their counts."""
    objects = [
        result_of("a", Outcome.CREATED),
        result_of("b", Outcome.FAILED),
        result_of("c", Outcome.FAILED),
    ]

    assert report(objects=objects).count(Outcome.CREATED, Outcome.FAILED) == 3
    assert report(objects=objects).count(Outcome.SKIPPED) == 0
