"""The safeguards against accidental deletion, each with a test."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nopea.core.api.spec import GitRepositorySpec, PruneLimit
from nopea.core.objects import ObjectKey
from nopea.core.plan.prune import (
    FEW,
    MOST_AT_ONCE,
    PruneCandidate,
    PruneDecision,
    PruneReason,
    PruneVerdict,
    allowed_at_once,
    blocked,
    prune_decisions,
)
from nopea.core.problem import Code, Problem

DEFAULT_LIMIT = GitRepositorySpec(url="https://git.acme.example/shop.git").prune_limit
OWNER = "shop.web"
WEB = ObjectKey("apps", "Deployment", "shop", "web")
NAMESPACE = ObjectKey("", "Namespace", "", "shop")
CLAIM = ObjectKey("", "PersistentVolumeClaim", "shop", "data")
DEFINITION = ObjectKey("apiextensions.k8s.io", "CustomResourceDefinition", "", "shops.acme.example")
PRUNABLE = PruneCandidate(in_inventory=True, live=True, owner=OWNER, has_our_apply=True, uid="u-1")


def decide(
    candidates: dict[ObjectKey, PruneCandidate],
    *,
    inventory_size: int = 100,
    enabled: bool = True,
    rendered_cleanly: bool = True,
    rendered_count: int = 10,
    confirmed: bool = False,
    limit: PruneLimit = "50%",
    runs_on: bool = True,
    deleting: bool = False,
) -> dict[ObjectKey, PruneDecision]:
    """Decide about the candidates; by default everything allows the deletion."""
    return prune_decisions(
        candidates=candidates,
        inventory_size=inventory_size,
        owner=OWNER,
        enabled=enabled,
        rendered_cleanly=rendered_cleanly,
        rendered_count=rendered_count,
        confirmed=confirmed,
        limit=limit,
        runs_on=runs_on,
        deleting=deleting,
        commit="c0ffee",
    )


def config_maps(count: int, candidate: PruneCandidate = PRUNABLE) -> dict[ObjectKey, PruneCandidate]:
    """Return this number of candidates."""
    return {ObjectKey("", "ConfigMap", "shop", f"c{number:03}"): candidate for number in range(count)}


def verdicts(decisions: dict[ObjectKey, PruneDecision]) -> list[tuple[PruneVerdict, PruneReason]]:
    """Return verdicts and reasons."""
    return [(decision.verdict, decision.reason) for decision in decisions.values()]


def test_an_object_that_passes_every_safeguard_is_deleted() -> None:
    """Objects that were removed from Git are deleted, and so are those of a deleted GitRepository."""
    assert decide({WEB: PRUNABLE}) == {
        WEB: PruneDecision(verdict=PruneVerdict.PRUNE, reason=PruneReason.GONE_FROM_GIT)
    }
    assert decide({WEB: PRUNABLE}, deleting=True) == {
        WEB: PruneDecision(verdict=PruneVerdict.PRUNE, reason=PruneReason.DELETED)
    }
    assert decide({}) == {}


RULES = [
    ({"live": False}, PruneVerdict.GONE, PruneReason.NOT_THERE),
    ({"terminating": True}, PruneVerdict.WAIT, PruneReason.TERMINATING),
    ({"uid": ""}, PruneVerdict.WAIT, PruneReason.NO_UID),
    ({"in_inventory": False}, PruneVerdict.KEEP, PruneReason.NOT_IN_INVENTORY),
    ({"wanted_by": "shop/api"}, PruneVerdict.KEEP, PruneReason.HANDED_OVER),
    ({"owner": "shop.api"}, PruneVerdict.KEEP, PruneReason.OWNED_BY_OTHER),
    ({"owner": ""}, PruneVerdict.KEEP, PruneReason.OWNED_BY_OTHER),
    ({"prune_live": "false"}, PruneVerdict.KEEP, PruneReason.ANNOTATED),
    ({"prune_live": "no"}, PruneVerdict.KEEP, PruneReason.ANNOTATED),
    ({"owner": None}, PruneVerdict.REFUSE, PruneReason.NO_LABEL),
    ({"has_our_apply": False}, PruneVerdict.REFUSE, PruneReason.NOT_APPLIED),
]


@pytest.mark.parametrize("deleting", [False, True])
@pytest.mark.parametrize(("change", "verdict", "reason"), RULES)
def test_each_safeguard_keeps_an_object(
    change: dict[str, bool | str | None], verdict: PruneVerdict, reason: PruneReason, deleting: bool
) -> None:
    """A single condition keeps the object, also if the GitRepository is deleted."""
    candidate = replace(PRUNABLE, **change)  # type: ignore[arg-type]  # a table of any of its fields

    decision = decide({WEB: candidate}, deleting=deleting)[WEB]

    assert (decision.verdict, decision.reason) == (verdict, reason)
    assert (decision.problem is not None) == (verdict is PruneVerdict.REFUSE)


@pytest.mark.parametrize("deleting", [False, True])
@pytest.mark.parametrize("key", [NAMESPACE, CLAIM, DEFINITION])
def test_protected_kinds_are_deleted_only_on_request(key: ObjectKey, deleting: bool) -> None:
    """Deleting a Namespace, a claim or a definition deletes more than one object, so it must be requested."""
    candidate = replace(PRUNABLE, prune_live="true")
    assert decide({key: candidate}, deleting=deleting)[key].verdict is PruneVerdict.PRUNE

    (decision,) = decide({key: PRUNABLE}, deleting=deleting).values()
    assert decision == PruneDecision(verdict=PruneVerdict.KEEP, reason=PruneReason.PROTECTED_KIND)
    assert decision.is_told
    assert not decision.blocks_deletion
    assert not decision.forgets


def test_a_kind_that_is_not_served_keeps_its_objects_recorded() -> None:
    """An aggregated API that is away for a while says nothing about its objects."""
    for deleting in (False, True):
        (decision,) = decide(
            {WEB: replace(PRUNABLE, live=False, kind_served=False)}, deleting=deleting
        ).values()
        assert decision == PruneDecision(verdict=PruneVerdict.KEEP, reason=PruneReason.UNKNOWN_KIND)
        assert (decision.is_told, decision.forgets, decision.blocks_deletion) == (True, False, False)


def test_only_the_real_kinds_are_protected() -> None:
    """A kind with the same name in another group is not protected."""
    key = ObjectKey("acme.example", "Namespace", "", "shop")

    assert decide({key: PRUNABLE})[key].verdict is PruneVerdict.PRUNE


def test_the_problem_of_a_refusal() -> None:
    """The problem names the object, the reason, and how to delete or keep it."""
    (unlabelled,) = decide({WEB: replace(PRUNABLE, owner=None)}).values()

    assert unlabelled.problem == Problem(
        code=Code.PRUNE_PROTECTED,
        message="The object was removed from Git but is not deleted: "
        "it does not carry this GitRepository's label.",
        hint='To delete it, use kubectl. To keep it, annotate it with nopea.io/prune: "false".',
        object="apps/Deployment shop/web",
    )


def test_a_blocked_deletion_says_how_to_continue() -> None:
    """The hint says how to delete the GitRepository and keep its objects."""
    expected = Problem(
        code=Code.PRUNE_BLOCKED,
        message="The object is not deleted: Nopea has not applied any of its fields.",
        hint="Remove what blocks it, such as a finalizer. To keep all objects instead, "
        'annotate the GitRepository with nopea.io/abandon: "true".',
        object="Namespace shop",
    )

    foreign = replace(PRUNABLE, has_our_apply=False)
    assert decide({NAMESPACE: foreign}, deleting=True)[NAMESPACE].problem == expected
    assert blocked(NAMESPACE, expected.message) == expected


def test_what_cannot_be_read_is_neither_deleted_nor_forgotten() -> None:
    """Nothing is known about it, so the other facts do not count; the others are deleted."""
    problem = Problem(code=Code.API_BUSY, message="The API service does not answer.", hint="Wait.")
    for deleting in (False, True):
        unreadable = replace(PRUNABLE, unreadable=problem)
        decisions = decide({WEB: unreadable, CLAIM: replace(PRUNABLE, prune_live="true")}, deleting=deleting)

        assert decisions[WEB].verdict is PruneVerdict.REFUSE
        assert decisions[WEB].problem is problem
        assert not decisions[WEB].forgets
        assert decisions[WEB].blocks_deletion
        assert decisions[CLAIM].verdict is PruneVerdict.PRUNE


def test_break_glass_prevents_deletion() -> None:
    """The object is kept until the protection ends; the deletion of a GitRepository is blocked until then."""
    held = {WEB: replace(PRUNABLE, break_glass=True)}

    assert decide(held)[WEB] == PruneDecision(verdict=PruneVerdict.KEEP, reason=PruneReason.BREAK_GLASS)
    assert decide(held, deleting=True)[WEB] == PruneDecision(
        verdict=PruneVerdict.REFUSE,
        reason=PruneReason.BREAK_GLASS,
        problem=blocked(WEB, "The object is not deleted: it is under break-glass."),
    )


def test_pruning_can_be_off() -> None:
    """With `spec.prune: false` nothing is deleted or reported, unless the GitRepository is deleted."""
    unlabelled = {WEB: replace(PRUNABLE, owner=None), NAMESPACE: PRUNABLE, CLAIM: PRUNABLE}

    assert set(verdicts(decide(unlabelled, enabled=False))) == {(PruneVerdict.KEEP, PruneReason.PRUNING_OFF)}
    assert decide({WEB: PRUNABLE}, enabled=False, deleting=True)[WEB].verdict is PruneVerdict.PRUNE


def test_a_failed_render_deletes_nothing() -> None:
    """An object may be in a file that could not be read."""
    for confirmed in (False, True):
        (decision,) = decide({WEB: PRUNABLE}, rendered_cleanly=False, confirmed=confirmed).values()
        assert decision == PruneDecision(verdict=PruneVerdict.REFUSE, reason=PruneReason.RENDER_FAILED)
    assert decide({WEB: PRUNABLE}, rendered_cleanly=False, deleting=True)[WEB].verdict is PruneVerdict.PRUNE


def test_an_empty_render_deletes_nothing() -> None:
    """Even with a confirmation nothing is deleted; to delete everything, delete the GitRepository."""
    for confirmed in (False, True):
        (decision,) = decide({WEB: PRUNABLE}, rendered_count=0, confirmed=confirmed).values()
        assert (decision.verdict, decision.reason) == (PruneVerdict.REFUSE, PruneReason.RENDERED_TO_NOTHING)
        assert decision.problem == Problem(
            code=Code.PRUNE_GUARD,
            message="Git holds no objects, so nothing is pruned. "
            "A prune would delete apps/Deployment shop/web.",
            hint="Restore the manifests. To delete all objects, delete the GitRepository.",
        )
    assert decide({WEB: PRUNABLE}, rendered_count=1)[WEB].verdict is PruneVerdict.PRUNE
    assert decide({WEB: PRUNABLE}, rendered_count=0, deleting=True)[WEB].verdict is PruneVerdict.PRUNE


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


@pytest.mark.parametrize(
    ("verdict", "reason", "forgets", "blocks"),
    [
        (PruneVerdict.GONE, PruneReason.NOT_THERE, True, False),
        (PruneVerdict.KEEP, PruneReason.HANDED_OVER, True, False),
        (PruneVerdict.KEEP, PruneReason.OWNED_BY_OTHER, True, False),
        (PruneVerdict.KEEP, PruneReason.ANNOTATED, False, False),
        (PruneVerdict.PRUNE, PruneReason.DELETED, False, True),
        (PruneVerdict.WAIT, PruneReason.TERMINATING, False, True),
        (PruneVerdict.REFUSE, PruneReason.NO_LABEL, False, True),
    ],
)
def test_what_a_verdict_means(
    verdict: PruneVerdict, reason: PruneReason, forgets: bool, blocks: bool
) -> None:
    """The verdict decides whether the object stays in the inventory and whether it blocks a deletion."""
    decision = PruneDecision(verdict=verdict, reason=reason)

    assert (decision.forgets, decision.blocks_deletion) == (forgets, blocks)


TEXTS = st.sampled_from([None, "true", "false", "x"])
CANDIDATES = st.builds(
    PruneCandidate,
    in_inventory=st.booleans(),
    live=st.booleans(),
    owner=st.sampled_from([None, OWNER, "shop.api"]),
    has_our_apply=st.booleans(),
    uid=st.sampled_from(["", "u-1"]),
    prune_live=TEXTS,
    terminating=st.booleans(),
    break_glass=st.booleans(),
    wanted_by=st.sampled_from(["", "shop/api"]),
)
FAVOURABLE = st.just(PRUNABLE) | CANDIDATES
KEYS = st.sampled_from([WEB, NAMESPACE, CLAIM, DEFINITION, *config_maps(5)])
FLAGS = st.booleans()


LIMITS = st.integers(0, 10) | st.integers(0, 100).map("{}%".format)


@given(
    st.dictionaries(KEYS, FAVOURABLE), st.integers(0, 20), FLAGS, FLAGS, st.integers(0, 2),
    FLAGS, LIMITS, FLAGS,
)  # fmt: skip
def test_nothing_is_ever_deleted_against_a_safeguard(
    candidates: dict[ObjectKey, PruneCandidate],
    inventory: int,
    enabled: bool,
    clean: bool,
    count: int,
    confirmed: bool,
    limit: PruneLimit,
    deleting: bool,
) -> None:
    """In any situation each candidate has a verdict, and a deleted one has passed all safeguards."""
    decisions = decide(
        candidates,
        inventory_size=inventory,
        enabled=enabled,
        rendered_cleanly=clean,
        rendered_count=count,
        confirmed=confirmed,
        limit=limit,
        deleting=deleting,
    )

    assert list(decisions) == list(candidates)
    pruned = [key for key, decision in decisions.items() if decision.verdict is PruneVerdict.PRUNE]
    for key in pruned:
        one = candidates[key]
        assert replace(one, prune_live=None) == PRUNABLE
        assert one.prune_live in (None, "true")
        assert one.prune_live == "true" or key not in (NAMESPACE, CLAIM, DEFINITION)
    if pruned and not deleting:
        assert enabled
        assert clean
        assert count > 0
        assert confirmed or len(pruned) <= allowed_at_once(inventory, limit)
