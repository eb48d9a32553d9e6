"""The health in the status: Healthy, the worst object, and Ready with `wait`."""

from __future__ import annotations

import pytest
from tests.fakes.samples import NOW, report, result_of
from tests.unit.core.status.test_conditions import (
    CRASHING,
    HEALTHY,
    ROLLING,
    SYNCED,
    WRONG,
    A,
    after,
    failed,
    told,
)

from nopea.core.api.conditions import find
from nopea.core.api.entries import ObjectReference, RepositoryHealth
from nopea.core.health.condition import HealthSummary
from nopea.core.status.health import is_detail, with_health
from nopea.core.status.object_states import unpack_states


def test_the_worst_object_is_named() -> None:
    """In parts, for programs; the record of all objects has it too."""
    crashing = with_health(after(SYNCED), CRASHING, generation=1, now=NOW)

    assert crashing.health == RepositoryHealth(
        status="Unhealthy", object=ObjectReference.of(A), message="crash"
    )
    assert unpack_states(crashing.object_states).objects[A].health == "Unhealthy"
    well = with_health(crashing, HEALTHY, generation=1, now=NOW)
    assert (well.health, well.object_states) == (RepositoryHealth(status="Healthy"), "")
    assert with_health(well, None, generation=1, now=NOW).health is None


def test_the_steps_of_a_rollout_are_details() -> None:
    """They may be written later; another reason may not."""
    rolling = with_health(after(SYNCED), ROLLING, generation=1, now=NOW)
    further = with_health(rolling, HealthSummary(status="Unknown", reason="Progressing", message="1 of 2"),
                          generation=1, now=NOW)  # fmt: skip

    assert is_detail(rolling, further)
    assert not is_detail(rolling, with_health(rolling, CRASHING, generation=1, now=NOW))
    assert not is_detail(after(SYNCED), rolling)


@pytest.mark.parametrize(("health", "ready"), [(HEALTHY, "True"), (ROLLING, "False"), (CRASHING, "False")])
def test_health_is_part_of_ready_only_with_wait(health: HealthSummary, ready: str) -> None:
    """Both at the end of a sync and when health changes later."""
    synced = report(objects=[result_of("a")], health=health)
    later = with_health(after(SYNCED, wait=True), health, wait=True, generation=1, now=NOW)

    assert told(after(synced, wait=True), ["Ready"]) == told(later, ["Ready"]) == [ready]
    assert told(after(synced), ["Ready"]) == ["True"]
    back = with_health(later, HEALTHY, wait=True, generation=1, now=NOW)
    assert told(back, ["Ready"]) == ["True"]


def test_health_does_not_make_a_failed_sync_ready() -> None:
    """With `wait`, health is needed but does not suffice."""
    status = with_health(after(SYNCED, failed(WRONG)), HEALTHY, wait=True, generation=1, now=NOW)

    assert told(status, ["Ready", "Healthy"]) == ["False", "True"]


def test_a_rollout_after_a_failure_is_a_recovery() -> None:
    """The reason tells it from the rollout of something new."""
    reasons = []
    status = after(SYNCED)
    for health in (ROLLING, CRASHING, ROLLING, ROLLING, HEALTHY, ROLLING):
        status = with_health(status, health, generation=1, now=NOW)
        found = find(status.conditions, "Healthy")
        assert found is not None
        reasons.append(found.reason)

    assert reasons == ["Progressing", "Unhealthy", "Recovering", "Recovering", "Healthy", "Progressing"]
