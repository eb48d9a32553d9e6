"""When healing is slowed down because of another manager, and when it is fast again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nopea.core.objects import ObjectKey
from nopea.core.plan.contention import (
    CALM_BACKOFFS,
    FIRST_BACKOFF,
    LONGEST_BACKOFF,
    MAX_RIVALS,
    NO_FIGHTS,
    SOON,
    Fights,
    HealRecord,
    healed,
    is_contended,
    next_heal_at,
)

T0 = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
WEB = ObjectKey("apps", "Deployment", "shop", "web")
API = ObjectKey("apps", "Deployment", "shop", "api")


def fight(heals: int, *, manager: str = "rival", at: datetime = T0) -> HealRecord:
    """Return the record of this number of heals, with the last one at a time."""
    return HealRecord(manager=manager, heals=heals, last_at=at)


@pytest.mark.parametrize(
    ("heals", "seconds"),
    [
        (1, 0), (2, 0), (3, 10), (4, 20), (5, 40), (6, 80), (7, 160), (8, 320), (9, 640), (10, 1280),
        (11, 2560), (12, 3600), (13, 3600), (10_000, 3600),
    ],
)  # fmt: skip
def test_the_backoff(heals: int, seconds: int) -> None:
    """The first two heals are immediate; from the third on the backoff doubles from 10 s to an hour."""
    record = fight(heals)

    assert next_heal_at(record, T0) == T0 + timedelta(seconds=seconds)
    assert is_contended(record, T0) is (heals >= 3)


def test_nothing_healed_yet() -> None:
    """The first drift is healed at once."""
    assert next_heal_at(None, T0) == T0
    assert not is_contended(None, T0)
    assert healed(None, manager="rival", at=T0) == fight(1)


def test_three_heals_in_a_row_are_contention() -> None:
    """Each heal is within the window after the previous one, whatever the total time."""
    record = healed(None, manager="rival", at=T0)
    record = healed(record, manager="rival", at=T0 + SOON - SECOND)
    assert not is_contended(record, record.last_at)
    record = healed(record, manager="rival", at=T0 + 2 * (SOON - SECOND))

    assert is_contended(record, record.last_at)
    assert record.heals == 3


def test_rare_changes_are_not_contention() -> None:
    """A heal after the window starts the count again."""
    record = healed(fight(2), manager="rival", at=T0 + SOON)

    assert record == fight(1, at=T0 + SOON)


def test_managers_are_counted_separately() -> None:
    """Changes by one manager do not slow the healing of changes by another."""
    record = healed(fight(9), manager="other", at=T0 + SECOND)

    assert record == fight(1, manager="other", at=T0 + SECOND)


@pytest.mark.parametrize(("heals", "calm"), [(2, SOON), (3, SOON), (12, CALM_BACKOFFS * LONGEST_BACKOFF)])
def test_calm_ends_the_contention(heals: int, calm: timedelta) -> None:
    """After some time without a heal the count starts again, and not earlier."""
    record, before = fight(heals), T0 + calm - SECOND

    assert is_contended(record, before) is (heals >= 3)
    assert healed(record, manager="rival", at=before).heals == heals + 1
    assert not is_contended(record, T0 + calm)
    assert next_heal_at(record, T0 + calm) == T0 + calm
    assert healed(record, manager="rival", at=T0 + calm).heals == 1


def test_a_clock_that_was_set_back_does_not_stop_healing() -> None:
    """If the last heal is in the future, the next one waits for one backoff at most, and is counted."""
    record = fight(3, at=T0 + timedelta(days=1))

    assert next_heal_at(record, T0) == T0 + FIRST_BACKOFF
    assert healed(record, manager="rival", at=T0) == fight(4, at=T0 + timedelta(days=1))


def test_the_rival_is_named() -> None:
    """If the manager is unknown, the text says so."""
    assert fight(3, manager="acme-operator").rival == "acme-operator"
    assert fight(3, manager="").rival == "an unknown manager"


def test_each_object_and_manager_has_its_own_record() -> None:
    """Two managers that take turns are both detected; another object is not slowed."""
    fights = NO_FIGHTS
    for turn in range(6):
        fights = fights.healed(WEB, manager=f"rival-{turn % 2}", at=T0 + turn * SECOND)
    fights = fights.healed(API, manager="rival-1", at=T0)
    now = T0 + 6 * SECOND

    assert [(key, record.manager) for key, record in fights.contended(now)] == [
        (WEB, "rival-1"),
        (WEB, "rival-0"),
    ]
    last = T0 + 5 * SECOND + FIRST_BACKOFF
    assert fights.next_heal_at(WEB, managers=["rival-0", "rival-1"], now=now) == last
    assert fights.next_heal_at(WEB, managers=["rival-0"], now=now) == last - SECOND
    assert fights.next_heal_at(WEB, managers=["other"], now=now) == now
    assert fights.next_heal_at(WEB, managers=[], now=now) == now
    assert fights.next_heal_at(API, managers=["rival-1"], now=now) == now
    assert Fights() == NO_FIGHTS


def test_the_condition_says_what_was_reverted_and_what_to_do() -> None:
    """The message contains the number of heals of the first object and the number of contended objects."""
    fights = NO_FIGHTS
    for turn in range(3):
        fights = fights.healed(WEB, manager="rival", at=T0 + turn * SECOND)
        fights = fights.healed(API, manager="rival", at=T0 + turn * SECOND)

    first = min(WEB, API)
    assert fights.describe(T0 + 3 * SECOND) == (
        f"Nopea has reverted changes of {first} by rival 3 times. It now waits 10.0s between heals. "
        "Stop the other writer, or add the field to spec.ignoreDifferences. 2 objects are contended."
    )
    assert NO_FIGHTS.describe(T0) == ""


def test_old_records_are_forgotten() -> None:
    """Records of objects that are gone or calm are removed."""
    fights = NO_FIGHTS.healed(WEB, manager="old", at=T0).healed(WEB, manager="new", at=T0 + SECOND)
    fights = fights.healed(API, manager="new", at=T0 + SECOND)

    assert fights.forget(now=T0 + SOON, keep={WEB}) == Fights(
        {WEB: (fight(1, manager="new", at=T0 + SECOND),)}
    )
    assert fights.forget(now=T0 + SOON + SECOND, keep={WEB, API}) == NO_FIGHTS


def test_the_number_of_managers_is_bounded() -> None:
    """For each object only the managers healed last are kept."""
    fights = NO_FIGHTS
    for turn in range(MAX_RIVALS + 1):
        fights = fights.healed(WEB, manager=f"rival-{turn}", at=T0)
    fights = fights.healed(WEB, manager="rival-1", at=T0)

    assert len(fights.records[WEB]) == MAX_RIVALS
    assert fights.record(WEB, "rival-0") is None
    assert fights.records[WEB][-1] == fight(2, manager="rival-1")


WAITS = st.lists(st.timedeltas(timedelta(), timedelta(hours=6)), max_size=40)


@given(WAITS)
def test_the_backoff_grows_is_bounded_and_resets(waits: list[timedelta]) -> None:
    """For any heals the backoff shrinks only after calm, at most doubles, and is at most an hour."""
    record = healed(None, manager="rival", at=T0)
    now = T0
    for wait in waits:
        now += wait
        calm = now >= record.calm_at
        assert now <= next_heal_at(record, now) <= max(now, record.last_at + LONGEST_BACKOFF)
        after = healed(record, manager="rival", at=now)
        if calm:
            assert after.heals == 1
            assert next_heal_at(after, now) == now
        else:
            assert record.backoff <= after.backoff <= max(FIRST_BACKOFF, 2 * record.backoff)
        assert after.backoff <= LONGEST_BACKOFF
        record = after


@given(st.integers(1, 200))
def test_permanent_contention_is_never_forgotten(rounds: int) -> None:
    """Healing as soon as it is allowed never counts as calm."""
    record = healed(None, manager="rival", at=T0)
    for _ in range(rounds):
        at = next_heal_at(record, record.last_at)
        record = healed(record, manager="rival", at=at)

    assert record.heals == rounds + 1
    assert is_contended(record, record.last_at) is (rounds >= 2)


@pytest.mark.parametrize(
    ("key", "manager", "names_replicas"),
    [
        (WEB, "kube-controller-manager", True),
        (WEB, "acme-operator", False),
        (ObjectKey("", "ConfigMap", "shop", "web"), "kube-controller-manager", False),
    ],
)
def test_an_autoscaler_gets_its_own_advice(key: ObjectKey, manager: str, names_replicas: bool) -> None:
    """Replicas belong to Git or to the autoscaler; ignoring them is not needed."""
    fights = NO_FIGHTS
    for turn in range(3):
        fights = fights.healed(key, manager=manager, at=T0 + turn * SECOND)
    assert ("remove spec.replicas from Git" in fights.describe(T0 + 3 * SECOND)) == names_replicas
