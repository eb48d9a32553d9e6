"""The packed states of objects that are not in sync or not healthy."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.samples import problem, report, result_of

from nopea.core.api.status import MAX_OBJECT_STATES
from nopea.core.drift.find import Drift, FieldDrift
from nopea.core.drift.three_way import DriftKind
from nopea.core.health.condition import HealthSummary
from nopea.core.health.rules import HealthStatus, failed, progressing
from nopea.core.objects import ObjectKey
from nopea.core.plan.model import ObservedDrift, Reason
from nopea.core.problem import Code
from nopea.core.status.object_states import (
    ObjectState,
    SyncStatus,
    pack_states,
    states_after,
    states_with_health,
    unpack_states,
)
from nopea.core.status.report import ObjectResult, Outcome

A, B = ObjectKey("", "ConfigMap", "shop", "a"), ObjectKey("", "ConfigMap", "shop", "b")
FAILED = result_of("a", Outcome.FAILED, problem(Code.INVALID, "no such field"))
WELL = HealthSummary(status="True", reason="Healthy", message="1 object is healthy.")
CRASHING = HealthSummary(
    status="False", reason="Unhealthy", message="it crashes", unhealthy={A: failed("CrashLoopBackOff")}
)
names = st.text(alphabet="abcdefghij-", min_size=1, max_size=253)
states = st.builds(
    ObjectState,
    sync=st.sampled_from(SyncStatus),
    sync_message=st.text(max_size=200),
    health=st.sampled_from(HealthStatus),
    health_message=st.text(max_size=200),
)


def drifted(name: str, reason: Reason = Reason.POLICY) -> ObjectResult:
    """Return an object that drifted and was left."""
    field = FieldDrift(
        path=".data", keys=("data",), from_="1", to="2", manager="kubectl-edit", operation="Update",
        subresource="", changed_at=None,
    )  # fmt: skip
    drift = Drift(kind=DriftKind.MANUAL_DRIFT, fields=(field,))
    seen = ObservedDrift(drift=drift, since=report().started_at)
    return replace(result_of(name, Outcome.SKIPPED), reason=reason, seen=seen)


def test_nothing_is_recorded_while_all_is_well() -> None:
    """A repository in sync does not pay for the field."""
    assert states_after("", report(objects=[result_of("a"), result_of("b", Outcome.CREATED)])) == ""
    assert states_with_health("", WELL) == ""


def test_each_object_has_its_sync() -> None:
    """Failed, drifted and suspended are told apart; the failure has its code."""
    until = datetime(2026, 11, 24, 6, tzinfo=UTC)
    suspended = replace(result_of("c", Outcome.SKIPPED), reason=Reason.BREAK_GLASS, retry_at=until)
    text = states_after("", report(objects=[FAILED, drifted("b"), suspended]))

    found = unpack_states(text)

    assert [state.sync for state in found.objects.values()] == ["Failed", "Drifted", "Suspended"]
    assert found.objects[A].sync_message == "NOPEA-K003: no such field"
    assert found.objects[suspended.key].sync_message == "break-glass until 2026-11-24T06:00:00Z"
    assert not found.has_more


def test_sync_and_health_are_kept_apart() -> None:
    """A sync keeps the health, a health check keeps the sync, and a Git failure keeps both."""
    crashing = states_with_health(states_after("", report(objects=[FAILED])), CRASHING)
    expected = ObjectState(
        sync=SyncStatus.FAILED,
        sync_message="NOPEA-K003: no such field",
        health=HealthStatus.FAILED,
        health_message="CrashLoopBackOff",
    )
    assert unpack_states(crashing).objects == {A: expected}

    fixed = states_after(crashing, report(objects=[result_of("a")]))
    assert unpack_states(fixed).objects[A].sync is SyncStatus.SYNCED
    assert unpack_states(fixed).objects[A].health is HealthStatus.FAILED
    assert states_after(crashing, report(commit=None)) == crashing
    assert states_with_health(fixed, WELL) == ""


def test_an_object_that_left_git_is_forgotten() -> None:
    """The record is about the objects of the last sync."""
    assert states_after(states_after("", report(objects=[FAILED])), report(objects=[result_of("b")])) == ""


def test_too_many_objects_leave_out_the_minor_ones() -> None:
    """Failed objects are kept, and the record says that there are more."""
    many = [drifted(f"d{number:04}") for number in range(300)]

    found = unpack_states(states_after("", report(objects=[*many, FAILED])))

    assert next(iter(found.objects)) == A
    assert len(found.objects) == 200
    assert found.has_more
    rolling = replace(CRASHING, unhealthy={B: progressing("0 of 1")})
    assert unpack_states(states_with_health(pack_states(found.objects, has_more=True), rolling)).has_more


@given(st.dictionaries(st.builds(ObjectKey, names, names, names, names), states, max_size=40))
def test_what_is_packed_is_unpacked(found: dict[ObjectKey, ObjectState]) -> None:
    """Every state but the good one survives, in any order."""
    text = pack_states(found)

    assert len(text) <= MAX_OBJECT_STATES
    bad = {key: state for key, state in found.items() if state != ObjectState()}
    assert unpack_states(text).objects == bad
    assert pack_states(dict(reversed(found.items()))) == text


def test_the_longest_names_and_messages_fit() -> None:
    """The API server refuses a status with a longer text as a whole."""
    random = Random(7)

    def noise() -> str:
        return "".join(chr(random.randrange(0x4E00, 0x9FFF)) for _ in range(200))

    many = {
        ObjectKey("g" * 253, "K" * 63, "n" * 63, f"{number:0253}"): ObjectState(
            sync=SyncStatus.FAILED, sync_message=noise(), health_message=noise()
        )
        for number in range(200)
    }
    text = pack_states(many)

    assert 0 < len(text) <= MAX_OBJECT_STATES
    assert unpack_states(text).objects


def test_a_text_of_another_version_is_no_state() -> None:
    """It is replaced by the next sync."""
    assert unpack_states("not packed").objects == {}
    assert states_after("not packed", report(objects=[result_of("a")])) == ""


def _noise(random: Random, length: int) -> str:
    return "".join(chr(random.randrange(0x4E00, 0x9FFF)) for _ in range(length))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 240), st.integers(0, 240))
def test_syncs_and_health_checks_write_one_text(seed: int, failing: int, unhealthy: int) -> None:
    """While nothing changes, the status does not alternate, however little of it fits."""
    random = Random(seed)
    keys = [
        ObjectKey(
            "g" * random.randrange(250), "K" * 60, "n" * 60, f"{number:03}{'x' * random.randrange(250)}"
        )
        for number in range(240)
    ]
    results = [
        ObjectResult(key=key, outcome=Outcome.FAILED, problem=problem(Code.INVALID, _noise(random, 200)))
        for key in random.sample(keys, failing)
    ]
    health = HealthSummary(
        status="False",
        reason="Unhealthy",
        message="",
        unhealthy={
            key: random.choice((failed, progressing))(_noise(random, random.randrange(200)))
            for key in random.sample(keys, unhealthy)
        },
    )
    done = report(objects=results, health=health)

    def synced(before: str) -> str:
        return states_with_health(states_after(before, done), health)

    text = synced("")
    assert len(text) <= MAX_OBJECT_STATES
    assert states_with_health(text, health) == text
    assert synced(text) == text
    assert synced(states_with_health(text, WELL)) == text


def test_as_many_as_fit_are_kept() -> None:
    """One more would be too many for the API server."""
    random = Random(8)
    many = {
        ObjectKey("", "ConfigMap", "shop", f"{number:03}"): ObjectState(
            sync=SyncStatus.FAILED, sync_message=_noise(random, 200)
        )
        for number in range(200)
    }

    kept = unpack_states(pack_states(many)).objects

    assert 0 < len(kept) < 200
    assert list(kept) == sorted(many)[: len(kept)]
    one_more = {key: many[key] for key in sorted(many)[: len(kept) + 1]}
    assert len(unpack_states(pack_states(one_more)).objects) == len(kept)


def test_what_does_not_exist_is_not_healthy() -> None:
    """An object that was refused at its first apply has no health; one that was applied before keeps its."""
    refused = unpack_states(states_after("", report(objects=[FAILED, result_of("b")], health=WELL)))

    assert dict(refused.listed({B})) == {
        A: ObjectState(
            sync=SyncStatus.FAILED, sync_message="NOPEA-K003: no such field", health=HealthStatus.UNKNOWN
        ),
        B: ObjectState(),
    }
    assert dict(refused.listed({A, B}))[A].health is HealthStatus.HEALTHY
