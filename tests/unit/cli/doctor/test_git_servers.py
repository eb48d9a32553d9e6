"""Git servers, as statuses show them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tests.fakes.samples import READY, raw_repository

from nopea.cli.doctor.finding import Verdict
from nopea.cli.doctor.git_servers import git_findings, repository_findings
from nopea.core.api.repository import Repository, parse_repository
from nopea.core.api.tenancy import AS_CALLER
from nopea.core.problem import Code

FETCHED = {**READY, "type": "Fetched"}


def repository(name: str, url: str, *codes: str, message: str = "It failed.", **status: Any) -> Repository:
    """Return a repository with these errors."""
    errors = [{"code": code, "message": message, "hint": "Mend it."} for code in codes]
    raw = raw_repository(name, status={"conditions": [FETCHED], "errors": errors, **status})
    raw["spec"]["url"] = url
    return parse_repository(raw, policy=AS_CALLER)


def test_servers_that_answer_are_one_line() -> None:
    """With the number of their repositories; one that was never asked is not there."""
    found = list(
        git_findings(
            [
                repository("a", "https://git.example/a"),
                repository("b", "git@git.example:b"),
                repository("c", "file:///srv/c"),
                repository("d", "https://new.example/d", conditions=[]),
            ]
        )
    )

    assert [each.message for each in found] == [
        "Git answers: git.example (2 repositories), this machine (1 repository)"
    ]


def test_a_cause_is_one_line() -> None:
    """However many repositories it fails; other problems of a repository are not the server's."""
    refused = [
        repository(f"r{each}", "https://git.example/a", "NOPEA-G002", "NOPEA-M001") for each in range(5)
    ]
    other = repository("other", "https://git.example/b", "NOPEA-M001")

    (found,) = git_findings([*refused, other])

    assert found.verdict is Verdict.PROBLEM
    assert found.message == (
        "git.example fails 5 of 6 repositories (shop/r0, shop/r1, shop/r2 and 2 more). NOPEA-G002 It failed."
    )
    assert found.fix == "Mend it. `nopea why r0 -n shop` says more."


def test_rubbish_from_a_server_does_not_reach_the_terminal() -> None:
    """A status has what a server said; codes may be of another version."""
    hostile = repository("a", "https://git.example/a", "NOPEA-G001", message="\x1b[2Jhttps://u:pw@x/y")
    later = repository("b", "https://git.example/a", "NOPEA-Z999")

    (found,) = git_findings([hostile, later])

    assert "\x1b" not in found.message
    assert "pw" not in found.message


def test_how_many_need_somebody_is_told() -> None:
    """The list itself is that of `nopea status`."""
    fine = repository("a", "https://git.example/a", conditions=[READY])
    bad = repository("b", "https://git.example/b", "NOPEA-M001", conditions=[READY])

    assert list(repository_findings([])) == []
    assert [each.message for each in repository_findings([fine])] == ["1 GitRepository; none needs you."]
    assert [each.message for each in repository_findings([fine, bad])] == [
        "1 of 2 GitRepositories needs somebody."
    ]
    assert [each.message for each in repository_findings([bad, bad])] == [
        "2 of 2 GitRepositories need somebody."
    ]


def test_what_has_a_line_already_is_not_told_again() -> None:
    """Such as a Secret that does not exist."""
    told = repository("a", "https://git.example/a", "NOPEA-G012")
    other = repository("b", "https://git.example/b", "NOPEA-G012")

    assert list(git_findings([told], told={(told.key, Code.GIT_SECRET_MISSING)})) == []
    (found,) = git_findings([told, other], told={(told.key, Code.GIT_SECRET_MISSING)})
    assert "git.example fails 1 of 2 repositories (shop/b)" in found.message


def test_what_no_controller_has_looked_at_is_a_problem() -> None:
    """It may be in a namespace that is not watched; one that was created just now is none."""
    old = replace(repository("old", "https://git.example/a"), created="2026-11-24T05:00:00Z")
    new = replace(repository("new", "https://git.example/a"), created=datetime.now(UTC).isoformat())

    found = [each for each in repository_findings([old, new]) if each.verdict is Verdict.PROBLEM]

    assert [each.message for each in found] == ["No controller has ever looked at shop/old."]
