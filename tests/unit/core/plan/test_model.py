"""The order of a plan's steps, and what holds for every plan."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.samples import NOW, problem
from tests.unit.core.plan.planning import (
    API,
    DRIFTED,
    GONE,
    KEPT,
    LAST,
    LIVE,
    MINUTE,
    OWNER,
    WEB,
    prune,
    seen,
    wish,
)

from nopea.core.api.spec import HealPolicy
from nopea.core.manifests.render import Desired
from nopea.core.objects import ObjectKey
from nopea.core.plan.model import (
    Action,
    BreakGlass,
    ClusterState,
    LastApplied,
    ObservedObject,
    Plan,
    Policy,
    Reason,
    Step,
)
from nopea.core.plan.plan import plan
from nopea.core.problem import Code

NAMESPACE = ObjectKey("", "Namespace", "", "shop")
CONFIG, CONFIG_2 = ObjectKey("", "ConfigMap", "shop", "a"), ObjectKey("", "ConfigMap", "shop", "b")
WIDGET = ObjectKey("acme.example", "Widget", "shop", "w")


def keys(batches: list[list[Step]]) -> list[list[ObjectKey]]:
    """Return the keys of the steps in batches."""
    return [[step.key for step in batch] for batch in batches]


def planned(*desired: Desired, prunes: tuple[Step, ...] = (), world: ClusterState | None = None) -> Plan:
    """Return the plan, by default for an empty cluster."""
    return plan(
        desired=desired, cluster=world or ClusterState(), policy=Policy(owner=OWNER), now=NOW, prunes=prunes
    )


def test_dependencies_come_first() -> None:
    """Waves come first, then stages; within a batch, steps are sorted by key."""
    wishes = [wish(WIDGET), wish(WEB), wish(CONFIG_2), wish(CONFIG), wish(NAMESPACE), wish(API, wave=-1)]
    expected = [[API], [NAMESPACE], [CONFIG, CONFIG_2], [WEB], [WIDGET]]
    assert keys(planned(*wishes).groups()) == expected
    assert keys(planned(*reversed(wishes)).groups()) == expected
    assert [step.key for step in planned(*wishes).steps] == [key for batch in expected for key in batch]


def test_a_wave_outweighs_a_stage() -> None:
    """A Namespace in a later wave comes after a workload in an earlier one."""
    assert keys(planned(wish(NAMESPACE, wave=2), wish(WEB, wave=1)).groups()) == [[WEB], [NAMESPACE]]


def test_only_writes_are_in_batches() -> None:
    """Steps that write nothing are in the plan, but not in a batch."""
    world = ClusterState(
        observed={WEB: LIVE, API: replace(LIVE, owner="shop.other")}, last_applied={WEB: LAST}
    )
    made = planned(wish(WEB), wish(API), wish(CONFIG), prunes=(prune(CONFIG_2),), world=world)
    assert keys(made.groups()) == [[CONFIG]]
    assert keys(made.prunes()) == [[CONFIG_2]]
    assert {step.key for step in made.steps} == {WEB, API, CONFIG, CONFIG_2}


def test_prunes_are_in_reverse_order() -> None:
    """Objects that others need are deleted last."""
    made = planned(prunes=tuple(prune(key) for key in (CONFIG_2, NAMESPACE, WIDGET, WEB, CONFIG)))
    assert made.groups() == []
    assert keys(made.prunes()) == [[WIDGET], [WEB], [CONFIG, CONFIG_2], [NAMESPACE]]


def test_the_place_of_prunes_among_the_steps() -> None:
    """In the list of steps a prune is in wave 0 and in the stage of its kind."""
    made = planned(
        wish(API, wave=-1), wish(NAMESPACE), wish(WIDGET, wave=1), prunes=(prune(CONFIG), prune(WEB))
    )
    assert [step.key for step in made.steps] == [API, NAMESPACE, CONFIG, WEB, WIDGET]
    made = planned(wish(CONFIG_2, wave=1), prunes=(prune(WEB),))
    assert [step.key for step in made.steps] == [WEB, CONFIG_2]


def test_kept_and_refused_prunes_are_in_no_batch() -> None:
    """They are only in the list of steps, for the report."""
    kept = replace(prune(WEB), action=Action.LEAVE, reason=Reason.KEPT)
    refused = replace(prune(API), action=Action.REFUSE, reason=Reason.PRUNE_REFUSED)
    made = planned(prunes=(kept, refused))
    assert (made.groups(), made.prunes()) == ([], [])
    assert made.steps == (refused, kept)


@pytest.mark.parametrize("action", list(Action))
def test_the_actions_that_write(action: Action) -> None:
    """Only creating and applying count as writes; prunes are handled separately."""
    assert replace(prune(WEB), action=action).writes is (action in (Action.CREATE, Action.APPLY))


# Any cluster state

KEYS = st.builds(
    ObjectKey,
    st.sampled_from(["", "apps", "acme.example"]),
    st.sampled_from(["Namespace", "ConfigMap", "Deployment", "Widget"]),
    st.sampled_from(["", "shop", "bank"]),
    st.sampled_from(["a", "b", "c"]),
)
TIMES = st.none() | st.sampled_from([NOW - MINUTE, NOW, NOW + MINUTE])
HASHES = st.sampled_from(["h0", "h1"])
OBSERVED = st.builds(
    ObservedObject,
    owner=st.sampled_from([None, OWNER, "shop.other", ""]),
    resource_version=st.just("7"),
    projection=st.sampled_from([None, "p1", "p2"]),
    break_glass=st.none() | st.builds(BreakGlass, until=TIMES),
    terminating=st.booleans(),
)
POLICIES = st.builds(
    Policy,
    owner=st.just(OWNER),
    heal=st.sampled_from(HealPolicy),
    grace=st.sampled_from([timedelta(), 2 * MINUTE]),
    heal_requested=st.booleans(),
    heal_objects=st.frozensets(KEYS, max_size=3),
)
WORLDS = st.builds(
    ClusterState,
    observed=st.dictionaries(KEYS, OBSERVED),
    last_applied=st.dictionaries(
        KEYS, st.builds(LastApplied, hash=HASHES, projection=st.sampled_from([None, "p1", "p2"]))
    ),
    seen=st.dictionaries(KEYS, st.sampled_from([seen(), DRIFTED, KEPT, GONE])),
    heal_at=st.dictionaries(KEYS, st.sampled_from([NOW - MINUTE, NOW, NOW + MINUTE]), max_size=2),
    unreadable=st.dictionaries(KEYS, st.just(problem(Code.FORBIDDEN)), max_size=2),
)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(KEYS, st.tuples(HASHES, st.integers(-1, 2)), max_size=8), st.sets(KEYS), WORLDS, POLICIES
)
def test_the_invariants_of_every_plan(
    wanted: dict[ObjectKey, tuple[str, int]], gone: set[ObjectKey], world: ClusterState, policy: Policy
) -> None:
    """Each object has one step; objects that are under break-glass, foreign or unreadable are not written."""
    wishes = [wish(key, hash_=hash_, wave=wave) for key, (hash_, wave) in wanted.items()]
    prunes = [prune(key) for key in gone - wanted.keys()]
    made = plan(desired=wishes, cluster=world, policy=policy, now=NOW, prunes=prunes)
    assert sorted(step.key for step in made.steps) == sorted(wanted.keys() | gone)
    written = [step for batch in made.groups() for step in batch]
    assert written == [step for step in made.steps if step.writes]
    pruned = {step.key for batch in made.prunes() for step in batch}
    assert pruned == gone - wanted.keys()
    for step in written:
        live = world.observed.get(step.key)
        assert step.key not in world.unreadable
        assert (step.action is Action.CREATE) is (live is None)
        if live is not None:
            assert live.owner in (None, OWNER)
            assert live.break_glass is None or not live.break_glass.holds(NOW)
    for step in made.steps:
        assert step.retry_at is None or step.retry_at > NOW
        assert (step.problem is not None) is (step.action is Action.REFUSE)
