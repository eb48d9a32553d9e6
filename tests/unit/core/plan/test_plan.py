"""The action and the reason for each state and heal policy, as a table."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.fakes.samples import NOW, problem
from tests.unit.core.plan.planning import (
    API,
    AUTO,
    BEFORE,
    DRIFTED,
    GONE,
    KEPT,
    LABEL,
    LAST,
    LIVE,
    MANUAL,
    MINUTE,
    NOTIFY,
    OWNER,
    WEB,
    changed,
    decide,
    seen,
    wish,
)

from nopea.core.api.spec import HealPolicy
from nopea.core.plan.model import (
    Action,
    BreakGlass,
    ClusterState,
    Finish,
    Finished,
    LastApplied,
    ObservedObject,
    Policy,
    Reason,
    Step,
)
from nopea.core.plan.plan import LOOK_AGAIN, is_suspect, plan
from nopea.core.problem import Code


def answer(step: Step) -> tuple[Action, Reason]:
    """Return the action and the reason of a step."""
    return (step.action, step.reason)


CREATED, ADOPTED = (Action.CREATE, Reason.NOT_THERE), (Action.APPLY, Reason.ADOPTED)
NOT_RECORDED = (Action.APPLY, Reason.NOT_RECORDED)
UNCHANGED, IGNORED = (Action.LEAVE, Reason.UNCHANGED), (Action.LEAVE, Reason.IGNORED)
GIT_CHANGE = (Action.APPLY, Reason.GIT_CHANGE)
HEALED, RESTORED = (Action.APPLY, Reason.MANUAL_DRIFT), (Action.CREATE, Reason.MANUAL_DRIFT)
GIT_WINS, MADE_ANEW = (Action.APPLY, Reason.CONFLICT), (Action.CREATE, Reason.CONFLICT)
LEFT, WAITS = (Action.LEAVE, Reason.POLICY), (Action.LEAVE, Reason.GRACE)
CONTENDED = (Action.LEAVE, Reason.CONTENDED)

STATES: dict[str, dict[str, Any]] = {
    "not there": {"live": None, "last": None},
    "somebody's": {"live": replace(LIVE, owner=None, projection=None), "last": None},
    "labelled by hand": {"live": replace(LIVE, projection=None), "last": None},
    "label taken off": {"live": replace(LIVE, owner=None), "last": None},
    "not recorded": {"last": None},
    "unchanged": {},
    "ignored field": {"look": seen()},
    "git change": {"last": BEFORE},
    "git change beside an ignored field": {"last": BEFORE, "look": seen()},
    "git change of what is gone unseen": {"live": None, "last": BEFORE},
    "drifted": {"look": DRIFTED},
    "gone": {"live": None, "look": GONE},
    "conflict": {"last": BEFORE, "look": DRIFTED},
    "conflict with what is gone": {"live": None, "last": BEFORE, "look": GONE},
}


@pytest.mark.parametrize(
    ("state", "auto", "manual", "manual_asked"),
    [
        # state, healPolicy auto, healPolicy manual or notify, the same with a request to heal
        ("not there", CREATED, CREATED, CREATED),
        ("somebody's", ADOPTED, ADOPTED, ADOPTED),
        ("labelled by hand", ADOPTED, ADOPTED, ADOPTED),
        ("label taken off", ADOPTED, ADOPTED, ADOPTED),
        ("not recorded", NOT_RECORDED, NOT_RECORDED, NOT_RECORDED),
        ("unchanged", UNCHANGED, UNCHANGED, UNCHANGED),
        ("ignored field", IGNORED, IGNORED, IGNORED),
        ("git change", GIT_CHANGE, GIT_CHANGE, GIT_CHANGE),
        ("git change beside an ignored field", GIT_CHANGE, GIT_CHANGE, GIT_CHANGE),
        ("git change of what is gone unseen", (Action.CREATE, Reason.GIT_CHANGE),
         (Action.CREATE, Reason.GIT_CHANGE), (Action.CREATE, Reason.GIT_CHANGE)),
        ("drifted", HEALED, LEFT, HEALED),
        ("gone", RESTORED, LEFT, RESTORED),
        ("conflict", GIT_WINS, GIT_WINS, GIT_WINS),
        ("conflict with what is gone", MADE_ANEW, LEFT, MADE_ANEW),
    ],
)  # fmt: skip
def test_every_state_under_every_policy(state: str, auto: Any, manual: Any, manual_asked: Any) -> None:
    """`manual` and `notify` differ from `auto` only for manual changes without a request to heal."""
    facts = STATES[state]
    assert answer(decide(**facts, heal=AUTO)) == auto
    for heal in (MANUAL, NOTIFY):
        assert answer(decide(**facts, heal=heal)) == manual
        assert answer(decide(**facts, heal=heal, heal_requested=True)) == manual_asked
        assert answer(decide(**facts, heal=heal, heal_objects=frozenset({WEB}))) == manual_asked
        assert answer(decide(**facts, heal=heal, heal_objects=frozenset({API}))) == manual


def test_the_table_has_every_state() -> None:
    """Each state has a line in the table."""
    (mark,) = [mark for mark in test_every_state_under_every_policy.pytestmark if mark.name == "parametrize"]
    assert [line[0] for line in mark.args[1]] == list(STATES)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("heal", list(HealPolicy))
@pytest.mark.parametrize("above", ["unreadable", "other owner", "break-glass"])
def test_nothing_is_written_where_writing_is_forbidden(
    state: str, asked: bool, heal: HealPolicy, above: str
) -> None:
    """Unreadable objects, objects of another owner and break-glass prevent writes in every state."""
    facts = {"live": LIVE, "last": LAST, "look": None, **STATES[state]}
    live, last, look = facts["live"] or LIVE, facts["last"], facts["look"]
    if above == "other owner":
        live = replace(live, owner="shop.other")
    if above == "break-glass":
        live = replace(live, break_glass=BreakGlass())
    trouble = problem(Code.FORBIDDEN)
    world = ClusterState(
        observed={WEB: live},
        last_applied={WEB: last} if last else {},
        seen={WEB: look} if look else {},
        unreadable={WEB: trouble} if above == "unreadable" else {},
    )
    step = decide(world=world, heal=heal, heal_requested=asked)
    assert not step.writes
    assert (
        answer(step)
        == {
            "unreadable": (Action.REFUSE, Reason.UNREADABLE),
            "other owner": (Action.REFUSE, Reason.OWNED_BY_OTHER),
            "break-glass": (Action.LEAVE, Reason.BREAK_GLASS),
        }[above]
    )


def test_the_order_of_the_refusals() -> None:
    """Unreadable comes first, then another owner, then break-glass."""
    live = replace(LIVE, owner="shop.other", break_glass=BreakGlass())
    world = ClusterState(observed={WEB: live}, unreadable={WEB: problem(Code.FORBIDDEN)})
    assert answer(decide(world=world)) == (Action.REFUSE, Reason.UNREADABLE)
    assert answer(decide(live)) == (Action.REFUSE, Reason.OWNED_BY_OTHER)


def test_an_object_whose_kind_is_away_is_looked_at_again() -> None:
    """Its drift would not be noticed else; a change in Git is applied all the same."""
    away = ClusterState(last_applied={WEB: LAST}, away=frozenset((WEB,)))
    step = decide(world=away)
    assert answer(step) == (Action.LEAVE, Reason.UNCHANGED)
    assert step.retry_at == NOW + LOOK_AGAIN

    changed = replace(away, last_applied={WEB: replace(LAST, hash="older")})
    assert decide(world=changed).writes


def test_a_refusal_carries_its_problem() -> None:
    """The problem of reading is passed on; that of another owner names owner, object and file."""
    trouble = problem(Code.FORBIDDEN)
    assert decide(world=ClusterState(unreadable={WEB: trouble})).problem == trouble
    found = decide(replace(LIVE, owner="shop.other")).problem
    assert found is not None
    assert found.code is Code.OWNED_BY_OTHER
    assert found.message == "The object belongs to GitRepository shop.other."
    assert found.hint == "Remove it from one of the two repositories."
    assert (found.object, found.source) == ("apps/Deployment shop/web", "web.yaml#1")


def test_an_empty_label_is_another_owner() -> None:
    """An empty label does not mean that the object has no owner."""
    found = decide(replace(LIVE, owner=""))
    assert answer(found) == (Action.REFUSE, Reason.OWNED_BY_OTHER)
    assert found.problem is not None
    assert found.problem.message == "The object belongs to GitRepository ."


@pytest.mark.parametrize(
    ("until", "protects"),
    [
        (None, True),
        (NOW + MINUTE, True),
        (NOW + timedelta(microseconds=1), True),
        (NOW, False),
        (NOW - MINUTE, False),
    ],
)
def test_break_glass_ends_at_its_time(until: datetime | None, protects: bool) -> None:
    """Without an end the protection is permanent; with one, the sync is repeated at that time."""
    step = decide(replace(LIVE, break_glass=BreakGlass(until=until)), look=DRIFTED)
    assert BreakGlass(until=until).holds(NOW) is protects
    assert answer(step) == ((Action.LEAVE, Reason.BREAK_GLASS) if protects else HEALED)
    assert step.retry_at == (until if protects else None)


@pytest.mark.parametrize(
    ("since", "asked", "expected"),
    [
        (NOW, {}, WAITS),
        (NOW - MINUTE, {}, WAITS),
        (NOW - 5 * MINUTE + timedelta(microseconds=1), {}, WAITS),
        (NOW - 5 * MINUTE, {}, HEALED),
        (NOW - 6 * MINUTE, {}, HEALED),
        (NOW, {"heal_requested": True}, HEALED),
        (NOW, {"heal_objects": frozenset({WEB})}, HEALED),
        (NOW, {"heal_objects": frozenset({API})}, WAITS),
        (NOW, {"heal": MANUAL}, LEFT),
        (NOW, {"heal": NOTIFY, "heal_requested": True}, HEALED),
    ],
)
def test_the_grace_period(since: datetime, asked: Any, expected: Any) -> None:
    """Drift is healed after the grace period; a request to heal does not wait for it."""
    step = decide(look=seen(changed(), since=since), grace=5 * MINUTE, **asked)
    assert answer(step) == expected
    assert step.retry_at == (since + 5 * MINUTE if expected == WAITS else None)


@pytest.mark.parametrize(
    ("grace", "heal_at", "policy", "expected", "retry_at"),
    [
        (0, NOW + MINUTE, {}, CONTENDED, NOW + MINUTE),
        (0, NOW, {}, HEALED, None),
        (0, NOW - MINUTE, {}, HEALED, None),
        (2, NOW + 5 * MINUTE, {}, CONTENDED, NOW + 5 * MINUTE),
        (2, NOW + MINUTE, {}, WAITS, NOW + MINUTE),  # both end then, as the drift began a minute ago
        (5, NOW + MINUTE, {}, WAITS, NOW + 4 * MINUTE),
        (0, NOW + MINUTE, {"heal_requested": True}, HEALED, None),
        (0, NOW + MINUTE, {"heal_objects": frozenset({WEB})}, HEALED, None),
        (0, NOW + MINUTE, {"heal": MANUAL}, LEFT, None),
        (0, NOW + MINUTE, {"heal": MANUAL, "heal_requested": True}, HEALED, None),
    ],
)
def test_a_contended_object(grace: int, heal_at: datetime, policy: Any, expected: Any, retry_at: Any) -> None:
    """It is healed after the backoff or on request; with a grace period the later time counts."""
    world = ClusterState(
        observed={WEB: LIVE}, last_applied={WEB: LAST}, seen={WEB: DRIFTED}, heal_at={WEB: heal_at}
    )
    step = decide(world=world, grace=grace * MINUTE, **policy)
    assert answer(step) == expected
    assert step.retry_at == retry_at


def test_contention_delays_only_heals() -> None:
    """Other objects and changes in Git are not delayed."""
    fought: dict[str, Any] = {"observed": {WEB: LIVE}, "heal_at": {WEB: NOW + MINUTE}}
    assert (
        answer(decide(world=ClusterState(**fought, last_applied={WEB: BEFORE}, seen={WEB: DRIFTED})))
        == GIT_WINS
    )
    assert answer(decide(world=ClusterState(**fought, last_applied={WEB: BEFORE}))) == GIT_CHANGE
    others = {**fought, "heal_at": {API: NOW + MINUTE}}
    assert (
        answer(decide(world=ClusterState(**others, last_applied={WEB: LAST}, seen={WEB: DRIFTED}))) == HEALED
    )


def test_a_git_change_does_not_wait_for_the_grace_period() -> None:
    """Changes in Git and new objects are applied at once, even if the object has drifted."""
    for facts in (STATES["conflict"], STATES["git change"], STATES["not there"], STATES["not recorded"]):
        assert decide(**facts, grace=60 * MINUTE).writes


@pytest.mark.parametrize(
    ("policy", "kept"),
    [
        ({"heal": AUTO}, ()),
        ({"heal": MANUAL}, (LABEL,)),
        ({"heal": NOTIFY}, (LABEL,)),
        ({"heal": MANUAL, "heal_requested": True}, ()),
        ({"heal": MANUAL, "heal_objects": frozenset({WEB})}, ()),
        ({"heal": MANUAL, "heal_objects": frozenset({API})}, (LABEL,)),
    ],
)
def test_what_a_conflict_keeps(policy: Any, kept: Any) -> None:
    """Without a request, `manual` and `notify` keep manual changes to fields that Git did not change."""
    step = decide(last=BEFORE, look=KEPT, **policy)
    assert answer(step) == GIT_WINS
    assert step.keep == kept


def test_healing_keeps_nothing() -> None:
    """A heal reverts all drifted fields."""
    assert decide(look=KEPT).keep == ()
    assert decide(look=KEPT, heal=MANUAL, heal_requested=True).keep == ()


@pytest.mark.parametrize("state", STATES)
def test_only_an_ignored_difference_makes_a_new_baseline(state: str) -> None:
    """In any other state a new baseline would hide drift that was left."""
    assert decide(**STATES[state]).rebase is (state == "ignored field")


def test_a_step_contains_what_it_was_decided_from() -> None:
    """The executor and the views need no further lookup."""
    step = decide(look=DRIFTED)
    assert (step.key, step.desired, step.live, step.seen) == (WEB, wish(), LIVE, DRIFTED)
    assert (step.problem, step.retry_at) == (None, None)
    assert decide(None, None).live is None


@pytest.mark.parametrize(
    ("live", "last", "suspect"),
    [
        (None, None, False),
        (LIVE, None, False),
        (LIVE, LAST, False),
        (None, LAST, True),
        (None, replace(LAST, finished=Finished(how=Finish.FAILED, manifest="m")), False),
        (replace(LIVE, projection="p2"), LAST, True),
        (replace(LIVE, projection=None), LAST, True),
        (LIVE, replace(LAST, projection=None), True),
        (replace(LIVE, projection=None), replace(LAST, projection=None), True),
    ],
)
def test_which_objects_are_suspect(
    live: ObservedObject | None, last: LastApplied | None, suspect: bool
) -> None:
    """An applied object is suspect if it does not match its baseline, or if either is unknown."""
    assert is_suspect(live, last) is suspect


@pytest.mark.parametrize(
    ("last", "policy", "reason"),
    [
        (replace(LAST, admission="d"), {"retries_admission": True}, Reason.ADMISSION),
        (replace(LAST, admission="d"), {}, Reason.UNCHANGED),
        (LAST, {"retries_admission": True}, Reason.UNCHANGED),
        (replace(BEFORE, admission="d"), {}, Reason.GIT_CHANGE),
    ],
)
def test_what_admission_changed_is_applied_again_at_times(
    last: LastApplied, policy: dict[str, Any], reason: Reason
) -> None:
    """Nothing tells when admission has stopped, so the apply is the question; with any policy of healing."""
    cluster = ClusterState(observed={WEB: LIVE}, last_applied={WEB: last})
    for heal in (AUTO, MANUAL):
        wanted = Policy(owner=OWNER, heal=heal, **policy)
        (step,) = plan(desired=[wish()], cluster=cluster, policy=wanted, now=NOW).steps
        assert (step.reason, step.writes) == (reason, reason is not Reason.UNCHANGED)


def test_break_glass_holds_against_a_retry_of_admission() -> None:
    """It is a write like any other."""
    live = replace(LIVE, break_glass=BreakGlass())
    cluster = ClusterState(observed={WEB: live}, last_applied={WEB: replace(LAST, admission="d")})
    policy = Policy(owner=OWNER, retries_admission=True)
    (step,) = plan(desired=[wish()], cluster=cluster, policy=policy, now=NOW).steps
    assert (step.reason, step.writes) == (Reason.BREAK_GLASS, False)
