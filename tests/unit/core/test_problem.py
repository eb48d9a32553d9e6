"""Problems and their codes: one value, readable everywhere."""

from __future__ import annotations

import re

from tests.fakes.samples import problem

from nopea.core.problem import Code, StalledError, SyncError, TransientError, first_lines

REASON = re.compile(r"[A-Z][A-Za-z]*")


def test_every_code_has_its_own_legal_reason() -> None:
    """Reasons are words that conditions and Events take, and no two codes share one."""
    reasons = [code.reason for code in Code]

    assert all(REASON.fullmatch(reason) for reason in reasons)
    assert len(set(reasons)) == len(reasons)
    assert Code.GIT_REF_NOT_FOUND.reason == "GitRefNotFound"


def test_every_code_is_spelled_alike() -> None:
    """Outsiders match on them: NOPEA, a letter for the area, three digits."""
    assert [code for code in Code if not re.fullmatch(r"NOPEA-[GMKSPW]\d{3}", code)] == []


def test_a_problem_says_code_place_what_and_hint() -> None:
    """What is not known leaves no gap."""
    assert str(problem(Code.INVALID, "no such field")) == "NOPEA-K003: no such field. Correct it."
    placed = problem(Code.INVALID, "no such field", source="web.yaml#2", object="Service shop/web")
    assert str(placed) == "NOPEA-K003 web.yaml#2 Service shop/web: no such field. Correct it."


def test_waiting_helps_against_the_network_and_not_against_a_spec() -> None:
    """The retry policy's one question."""
    assert Code.GIT_UNREACHABLE.transient
    assert Code.API_UNREACHABLE.transient
    assert not Code.SPEC_INVALID.transient
    assert not Code.GIT_AUTHENTICATION.transient
    assert not Code.PRUNE_GUARD.transient


def test_an_error_carries_all_problems() -> None:
    """Whoever catches it reports every one, not the first."""
    error = TransientError(problem(message="one"), problem(message="two"))

    assert [one.message for one in error.problems] == ["one", "two"]
    assert "one" in str(error)
    assert "two" in str(error)
    assert isinstance(error, SyncError)
    assert not isinstance(error, StalledError)


def test_many_problems_become_one_sentence() -> None:
    """The first three in full, the rest counted; three are not `and 0 more`."""
    problems = [problem(message=f"fault {number}") for number in range(5)]

    assert first_lines(problems).endswith("fault 2. Correct it. 2 more problems: see status.errors.")
    assert "see status" not in first_lines(problems[:3])
    assert first_lines([]) == ""
