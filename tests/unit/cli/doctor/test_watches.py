"""What is told of objects that are not watched; the questions about rights: tests/cli/test_doctor.py."""

from __future__ import annotations

from tests.fakes.samples import READY, raw_repository

from nopea.cli.doctor.watches import told_watches
from nopea.core.api.repository import Repository, parse_repository
from nopea.core.api.tenancy import AS_CALLER

BLIND = {
    **READY,
    "type": "Watching",
    "status": "False",
    "message": "Changes of pods in shop are noticed late.",
}


def repository(name: str, condition: dict[str, str]) -> Repository:
    """Return a repository with a condition."""
    return parse_repository(raw_repository(name, status={"conditions": [condition]}), policy=AS_CALLER)


def test_without_questions_the_condition_is_told() -> None:
    """As it is: it names kinds and namespaces."""
    (found,) = told_watches([repository("b", READY), repository("a", BLIND)])

    assert found.message == "GitRepository shop/a: Changes of pods in shop are noticed late."


def test_the_same_condition_is_one_line() -> None:
    """With the first names."""
    (found,) = told_watches(repository(f"r{each}", BLIND) for each in range(500))

    assert found.message == (
        "500 GitRepositories (shop/r0, shop/r1, shop/r2 and 497 more): "
        "Changes of pods in shop are noticed late."
    )


def test_conditions_that_differ_are_counted_at_the_end() -> None:
    """Ten lines are enough to begin with."""
    found = list(
        told_watches(repository(f"r{each}", {**BLIND, "message": f"Kind {each}."}) for each in range(30))
    )

    assert len(found) == 11
    assert found[-1].message.startswith("The objects of 20 GitRepositories (shop/r10, ")
