"""The safeguards against accidental deletion, each with a test."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.plan.pruning import (
    CLAIM,
    DEFINITION,
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
    PruneCandidate,
    PruneDecision,
    PruneReason,
    PruneVerdict,
    allowed_at_once,
    blocked,
    may_need,
)
from nopea.core.problem import Code, Problem


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


WEBHOOK = ObjectKey("admissionregistration.k8s.io", "ValidatingWebhookConfiguration", "", "guard")


@pytest.mark.parametrize(
    ("stays", "needed", "independent"),
    [
        (
            ObjectKey("apps", "Deployment", "shop", "web"),
            [
                ObjectKey("", "ConfigMap", "shop", "web"),
                ObjectKey("", "ServiceAccount", "shop", "web"),
                ObjectKey("scheduling.k8s.io", "PriorityClass", "", "high"),
                ObjectKey("", "Namespace", "", "shop"),
            ],
            [ObjectKey("", "ConfigMap", "infra", "web"), ObjectKey("", "Namespace", "", "infra"), DEFINITION],
        ),
        (
            ObjectKey("acme.example", "Shop", "shop", "main"),
            [DEFINITION, ObjectKey("apps", "Deployment", "shop", "operator")],
            [
                ObjectKey("apps", "Deployment", "infra", "web"),
                ObjectKey("apiextensions.k8s.io", "CustomResourceDefinition", "", "cars.other.example"),
            ],
        ),
        (
            ObjectKey("", "ConfigMap", "shop", "web"),
            [ObjectKey("", "Namespace", "", "shop")],
            [ObjectKey("", "ServiceAccount", "shop", "web"), ObjectKey("", "Namespace", "", "infra")],
        ),
        (
            ObjectKey("networking.k8s.io", "Ingress", "shop", "web"),
            [ObjectKey("", "Namespace", "", "shop")],
            [ObjectKey("apps", "Deployment", "shop", "web")],
        ),
        (
            WEBHOOK,
            [ObjectKey("apps", "Deployment", "infra", "guard"), ObjectKey("", "Namespace", "", "infra")],
            [DEFINITION],
        ),
        (
            ObjectKey("acme.example", "ShopClass", "", "main"),
            [DEFINITION, ObjectKey("apps", "Deployment", "infra", "operator")],
            [ObjectKey("", "Namespace", "", "infra")],
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, ObjectKey) else "",
)
def test_what_an_object_that_stays_may_need(
    stays: ObjectKey, needed: list[ObjectKey], independent: list[ObjectKey]
) -> None:
    """Only that waits for it; a deletion that fails holds up nothing else."""
    assert [key for key in needed if not may_need(stays, key)] == []
    assert [key for key in independent if may_need(stays, key)] == []
