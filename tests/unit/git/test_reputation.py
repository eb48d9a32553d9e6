"""What is remembered of requests, by namespace."""

from __future__ import annotations

from nopea.git.reputation import Reputation

MINUTE = 60.0


def test_who_cost_a_child_its_life_is_alone_until_it_is_answered() -> None:
    """Another namespace that asks for the same is not."""
    reputation = Reputation()
    reputation.blame(("shop", "url"), now=0)

    assert reputation.is_alone(("shop", "url"))
    assert not reputation.is_alone(("shop", "other"))
    assert not reputation.is_alone(("bank", "url"))
    assert reputation.suspects == 1

    reputation.answered(("shop", "url"), fast=True, well=False)
    assert not reputation.is_alone(("shop", "url"))


def test_a_slow_server_is_slow_until_it_answers_fast() -> None:
    """A failure can be fast too."""
    reputation = Reputation()
    reputation.slow(("shop", "url"))
    reputation.answered(("shop", "url"), fast=False, well=True)
    assert reputation.is_slow(("shop", "url"))
    assert not reputation.is_slow(("bank", "url"))

    reputation.answered(("shop", "url"), fast=True, well=False)
    assert not reputation.is_slow(("shop", "url"))


def test_a_namespace_that_costs_many_children_is_separate_with_what_never_worked() -> None:
    """That ends ten minutes after; what worked before stays where it was."""
    reputation = Reputation()
    reputation.answered(("shop", "good"), fast=True, well=True)
    reputation.answered(("shop", "refused"), fast=True, well=False)
    for number in range(3):
        assert not reputation.is_separate(("shop", "new"), now=number * MINUTE)
        reputation.blame(("shop", f"url-{number}"), now=number * MINUTE)

    now = 3 * MINUTE
    assert reputation.is_separate(("shop", "new"), now=now)
    assert reputation.is_separate(("shop", "refused"), now=now)
    assert not reputation.is_separate(("shop", "good"), now=now)
    assert not reputation.is_separate(("bank", "new"), now=now)
    assert not reputation.is_separate(("shop", "new"), now=11 * MINUTE)
