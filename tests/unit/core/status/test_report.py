"""What a report answers about its pass."""

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
def test_a_pass_changed_the_cluster_when_an_object_was_written(
    outcomes: list[Outcome], changed: bool
) -> None:
    """What failed or was left alone is no change."""
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
    """Never both; an object that was written while its drift stays is not healed."""
    one = replace(edited(), outcome=outcome, left=left)

    assert (one.drifts, one.healed) == answers


def test_one_problem_for_a_person_makes_the_pass_one_for_a_person() -> None:
    """Only if everything may pass by itself, waiting is the advice."""
    passing, lasting = problem(Code.GIT_TIMEOUT), problem(Code.INVALID)

    assert report(Result.FAILED, problems=[passing, passing]).transient
    assert not report(Result.FAILED, problems=[passing, lasting]).transient


def test_codes_come_once_each_in_the_order_of_finding() -> None:
    """One Event for each."""
    codes = [Code.INVALID, Code.FORBIDDEN, Code.INVALID]

    assert report(problems=[problem(code) for code in codes]).codes == (Code.INVALID, Code.FORBIDDEN)


def test_counting_takes_any_of_the_outcomes() -> None:
    """Several outcomes add up."""
    objects = [
        result_of("a", Outcome.CREATED),
        result_of("b", Outcome.FAILED),
        result_of("c", Outcome.FAILED),
    ]

    assert report(objects=objects).count(Outcome.CREATED, Outcome.FAILED) == 3
    assert report(objects=objects).count(Outcome.SKIPPED) == 0
