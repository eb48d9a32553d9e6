"""The guard: how much one sync may delete without a confirmation."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.core.plan.pruning import (
    DEFAULT_LIMIT,
    NAMESPACE,
    OWNER,
    PRUNABLE,
    WEB,
    config_maps,
    decide,
    verdicts,
)

from nopea.core.api.spec import PruneLimit
from nopea.core.objects import ObjectKey
from nopea.core.plan.prune import (
    FEW,
    MOST_AT_ONCE,
    PruneReason,
    PruneVerdict,
    allowed_at_once,
    prune_decisions,
)
from nopea.core.problem import Code, Problem


@pytest.mark.parametrize(
    ("inventory", "allowed"),
    [
        (0, 0), (1, 0), (2, 0), (3, 0), (4, 1), (7, 1), (8, 2), (10, 2), (399, 99), (400, 100), (404, 100),
        (10_000, 100),
    ],
)  # fmt: skip
def test_the_default_guard(inventory: int, allowed: int) -> None:
    """At most a quarter of the inventory and 100 objects are deleted at once; otherwise none is."""
    assert allowed_at_once(inventory, DEFAULT_LIMIT) == allowed <= MOST_AT_ONCE
    within = decide(config_maps(allowed), inventory_size=inventory, limit=DEFAULT_LIMIT)
    beyond = decide(config_maps(allowed + 1), inventory_size=inventory, limit=DEFAULT_LIMIT)

    assert set(verdicts(within)) <= {(PruneVerdict.PRUNE, PruneReason.GONE_FROM_GIT)}
    assert set(verdicts(beyond)) == {(PruneVerdict.REFUSE, PruneReason.GUARD)}


@pytest.mark.parametrize(
    ("limit", "inventory", "allowed"),
    [
        ("0%", 1000, 0),
        ("1%", 99, 0),
        ("1%", 100, 1),
        ("50%", 3, 1),
        ("100%", 1, 1),
        ("100%", 101, MOST_AT_ONCE),
        (0, 1000, 0),
        (1, 1, 1),
        (5, 2, 5),
        (500, 1000, 500),
    ],
)
def test_the_limit_is_a_share_or_a_number(limit: PruneLimit, inventory: int, allowed: int) -> None:
    """A share is rounded down and never allows more than 100; a number is meant as it is written."""
    assert allowed_at_once(inventory, limit) == allowed


def test_the_guard_allows_confirmed_deletions() -> None:
    """A confirmation or the deletion of the GitRepository allows any number."""
    everything = config_maps(1000)

    for decisions in (
        decide(everything, inventory_size=1000, confirmed=True),
        decide(everything, inventory_size=1000, deleting=True),
    ):
        assert {decision.verdict for decision in decisions.values()} == {PruneVerdict.PRUNE}


def test_the_guard_says_how_to_confirm() -> None:
    """All objects share one problem with the counts, the first objects and the annotation."""
    problems = {decision.problem for decision in decide(config_maps(5), inventory_size=8).values()}

    assert problems == {
        Problem(
            code=Code.PRUNE_GUARD,
            message="5 of 8 objects were removed from Git, and spec.pruneLimit (50%) allows 4 at once. None "
            "is pruned: ConfigMap shop/c000, ConfigMap shop/c001, ConfigMap shop/c002 and 2 more.",
            hint="Restore them, or confirm the prune with `nopea confirm-prune NAME`, "
            "which sets the annotation nopea.io/confirm-prune: c0ffee.",
        )
    }
    (problem, *_) = (decision.problem for decision in decide(config_maps(3), inventory_size=3).values())
    assert problem is not None
    assert problem.message.endswith(": ConfigMap shop/c000, ConfigMap shop/c001, ConfigMap shop/c002.")


def test_the_defaults_are_safe() -> None:
    """By default the GitRepository is not being deleted; without a commit the hint has a placeholder."""
    decisions = prune_decisions(
        candidates=config_maps(4),
        inventory_size=4,
        owner=OWNER,
        enabled=True,
        rendered_cleanly=True,
        rendered_count=1,
        confirmed=False,
        limit=3,
    )

    problem = next(iter(decisions.values())).problem
    assert problem is not None
    assert problem.hint.endswith("annotation nopea.io/confirm-prune: <commit>.")
    assert problem.message.endswith("ConfigMap shop/c002 and 1 more.")


def test_the_guard_does_not_count_what_is_replaced() -> None:
    """It is deleted with the others or not at all, and named in no message."""
    objects = config_maps(3)
    first, second, _ = objects

    both = decide(objects, inventory_size=6, limit="25%", replaced=[first, second])
    assert {decision.verdict for decision in both.values()} == {PruneVerdict.PRUNE}
    decisions = decide(objects, inventory_size=6, limit="25%", replaced=[first])
    assert {decision.verdict for decision in decisions.values()} == {PruneVerdict.REFUSE}
    problem = decisions[first].problem
    assert problem is not None
    assert problem.message.startswith("2 of 6 objects")
    assert first.name not in problem.message


def test_the_guard_counts_what_would_be_deleted() -> None:
    """Objects that are kept anyway do not count, and keep their own verdict and reason."""
    kept = {WEB: replace(PRUNABLE, prune_live="false"), NAMESPACE: PRUNABLE}

    assert [one.verdict for one in decide({**config_maps(2), **kept}, inventory_size=4).values()] == [
        PruneVerdict.PRUNE, PruneVerdict.PRUNE, PruneVerdict.KEEP, PruneVerdict.KEEP,
    ]  # fmt: skip
    assert verdicts(decide({**config_maps(3), **kept}, inventory_size=4)) == [
        (PruneVerdict.REFUSE, PruneReason.GUARD),
        (PruneVerdict.REFUSE, PruneReason.GUARD),
        (PruneVerdict.REFUSE, PruneReason.GUARD),
        (PruneVerdict.KEEP, PruneReason.ANNOTATED),
        (PruneVerdict.KEEP, PruneReason.PROTECTED_KIND),
    ]


@pytest.mark.parametrize(
    ("key", "inventory", "limit", "runs_on", "held"),
    [
        (WEB, 8, "25%", False, True),
        (replace(WEB, kind="StatefulSet"), FEW, "25%", False, True),
        (WEB, FEW + 1, "25%", False, False),
        (WEB, 8, "25%", True, False),
        (WEB, 8, "100%", False, False),
        (WEB, 8, 1, False, False),
        (ObjectKey("batch", "Job", "shop", "migrate"), 8, "25%", False, False),
        (ObjectKey("", "ConfigMap", "shop", "web"), 8, "25%", False, False),
    ],
)
def test_the_last_workload_of_a_small_repository_needs_a_confirmation(
    key: ObjectKey, inventory: int, limit: PruneLimit, runs_on: bool, held: bool
) -> None:
    """One Deployment may be all that runs: a quarter of the objects says little about it."""
    facts = {"inventory_size": inventory, "limit": limit, "runs_on": runs_on}
    (decision,) = decide({key: PRUNABLE}, **facts).values()  # type: ignore[arg-type]  # a table of its arguments
    (confirmed,) = decide({key: PRUNABLE}, confirmed=True, **facts).values()  # type: ignore[arg-type]

    assert confirmed.verdict is PruneVerdict.PRUNE
    assert decision.verdict is (PruneVerdict.REFUSE if held else PruneVerdict.PRUNE)
    if held:
        assert decision.problem is not None
        assert decision.problem.message == (
            f"The last workload was removed from Git: {key}. Nothing is pruned."
        )


@pytest.mark.parametrize("on_the_way", [{"terminating": True}, {"live": False}])
def test_the_guard_counts_earlier_deletions(on_the_way: dict[str, bool]) -> None:
    """Objects that are being deleted count too, so that two syncs in a row cannot delete everything."""
    half = replace(PRUNABLE, **on_the_way)  # type: ignore[arg-type]  # a table of two of its fields
    leaving = {replace(key, namespace="old"): one for key, one in config_maps(50, half).items()}

    more = decide({**leaving, **config_maps(26)}, inventory_size=100)
    assert {decision.reason for decision in more.values()} >= {PruneReason.GUARD}
    less = decide({**leaving, **config_maps(25)}, inventory_size=100)
    assert PruneVerdict.PRUNE in {decision.verdict for decision in less.values()}
    strangers = {key: replace(one, in_inventory=False) for key, one in leaving.items()}
    others = decide({**strangers, **config_maps(50)}, inventory_size=100)
    assert PruneVerdict.PRUNE in {decision.verdict for decision in others.values()}
