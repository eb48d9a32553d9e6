"""Problems and their codes."""

from __future__ import annotations

import re

from tests.fakes.samples import problem

from nopea.core.problem import Code, StalledError, SyncError, TransientError, first_lines

REASON = re.compile(r"[A-Z][A-Za-z]*")


def test_every_code_has_its_own_valid_reason() -> None:
    """A reason is a valid reason of conditions and Events, and no two codes share one."""
    reasons = [code.reason for code in Code]

    assert all(REASON.fullmatch(reason) for reason in reasons)
    assert len(set(reasons)) == len(reasons)
    assert Code.GIT_REF_NOT_FOUND.reason == "GitRefNotFound"


def test_every_code_has_the_same_format() -> None:
    """Other programs match on codes: NOPEA, a letter for the area, three digits."""
    assert [code for code in Code if not re.fullmatch(r"NOPEA-[GMRKSPWN]\d{3}", code)] == []


def test_a_problem_is_printed() -> None:
    """The text has code, place, message and hint; an unknown place leaves no gap."""
    assert str(problem(Code.INVALID, "no such field")) == "NOPEA-K003: no such field. Correct it."
    placed = problem(Code.INVALID, "no such field", source="web.yaml#2", object="Service shop/web")
    assert str(placed) == "NOPEA-K003 web.yaml#2 Service shop/web: no such field. Correct it."


def test_which_codes_are_transient() -> None:
    """Problems of the network are transient; an invalid spec and missing rights are not."""
    assert Code.GIT_UNREACHABLE.transient
    assert Code.API_UNREACHABLE.transient
    assert not Code.SPEC_INVALID.transient
    assert not Code.GIT_AUTHENTICATION.transient
    assert not Code.PRUNE_GUARD.transient


def test_an_error_carries_all_problems() -> None:
    """All problems of an error can be reported, not only the first."""
    error = TransientError(problem(message="one"), problem(message="two"))

    assert [one.message for one in error.problems] == ["one", "two"]
    assert "one" in str(error)
    assert "two" in str(error)
    assert isinstance(error, SyncError)
    assert not isinstance(error, StalledError)


def test_many_problems_are_summarized() -> None:
    """The first three problems are shown in full, and the others are counted."""
    problems = [problem(message=f"fault {number}") for number in range(5)]

    assert first_lines(problems).endswith("fault 2. Correct it. 2 more problems: see status.errors.")
    assert "see status" not in first_lines(problems[:3])
    assert first_lines([]) == ""


def test_equal_problems_are_said_once() -> None:
    """The first place stands for all of them."""
    forbidden = [problem(Code.FORBIDDEN, "no right", object=f"Secret shop/s{number}") for number in range(4)]
    invalid = [problem(Code.YAML_SYNTAX, "no YAML", source=f"{name}.yaml:1") for name in "ab"]

    assert first_lines([*forbidden, *invalid, problem(Code.INVALID, "odd")]) == (
        "NOPEA-K002 Secret shop/s0 and 3 more: no right. Correct it. "
        "NOPEA-M001 a.yaml:1 and 1 more: no YAML. Correct it. "
        "NOPEA-K003: odd. Correct it."
    )


def test_nothing_in_a_problem_controls_a_terminal() -> None:
    """Names of files, answers of servers and messages of objects come from outside; lines stay."""
    evil = "a\x1b]0;title\x07b\r\u202ec\nd"

    found = problem(message=evil, source=evil, object=evil)

    for text in (found.message, found.source, found.object):
        assert text == "a ]0;title b  c\nd"
