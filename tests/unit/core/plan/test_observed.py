"""What a plan is told of a live object."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.unit.core.apply.owned import deployment, entry, stored

from nopea.core.apply.ignore_rules import IgnoreRules
from nopea.core.apply.projection import projection_hash
from nopea.core.health.assess import HealthStatus, assess
from nopea.core.plan.model import UNKNOWN_HEALTH, BreakGlass, ObservedObject
from nopea.core.plan.observed import observed_of

SUSPEND, UNTIL = "nopea.io/suspend-heal", "nopea.io/suspend-heal-until"

NOW = datetime(2026, 11, 24, 6, tzinfo=UTC)


def annotated(**annotations: Any) -> ObservedObject:
    """Return what is observed of an object with these annotations, their names without the group."""
    named = {f"nopea.io/{name.replace('_', '-')}": value for name, value in annotations.items()}
    return observed_of({"metadata": {"annotations": named}}, now=NOW)


def test_all_that_a_plan_needs() -> None:
    """Owner, version, uid, projection and the marks that steer us."""
    live = stored(deployment())
    live["metadata"] |= {"resourceVersion": "42", "uid": "u-1"}
    assert observed_of(live, now=NOW) == ObservedObject(
        owner="shop.web",
        resource_version="42",
        uid="u-1",
        projection=projection_hash(live),
        health=assess(live, now=datetime.now(UTC)),
    )
    assert observed_of(live, now=NOW).projection is not None


@pytest.mark.parametrize("live", [{}, {"metadata": None}, {"metadata": {}}, {"metadata": {"labels": None}}])
def test_an_object_with_nothing_in_it(live: dict[str, Any]) -> None:
    """It is nobody's and was never applied."""
    found = observed_of(live, now=NOW)
    assert replace(found, health=UNKNOWN_HEALTH) == ObservedObject(owner=None, resource_version="")
    assert found.health.status is HealthStatus.UNKNOWN


def test_an_empty_owner_is_not_none() -> None:
    """An empty label is one."""
    assert observed_of({"metadata": {"labels": {"nopea.io/repository": ""}}}, now=NOW).owner == ""


def test_the_rules_count() -> None:
    """What a spec leaves to others is not in the projection."""
    live = stored(deployment())
    rules = IgnoreRules(pointers=("/spec/replicas",))
    before = observed_of(live, rules=rules, now=NOW).projection
    assert before != observed_of(live, now=NOW).projection
    live["spec"]["replicas"] = 9
    assert observed_of(live, rules=rules, now=NOW).projection == before
    assert (
        observed_of(stored(deployment(), entry({"f:spec": {"f:paused": {}}})), now=NOW).projection is not None
    )


def test_what_is_being_deleted() -> None:
    """By its deletion timestamp."""
    assert observed_of({"metadata": {"deletionTimestamp": "2026-11-24T05:00:00Z"}}, now=NOW).terminating
    assert not observed_of({"metadata": {"deletionGracePeriodSeconds": 1}}, now=NOW).terminating


@pytest.mark.parametrize("value", [None, "true", "false", "nonsense"])
def test_the_pruning_mark_is_passed_on_as_it_is(value: str | None) -> None:
    """What it means is the pruning rules' to say."""
    assert annotated(**({} if value is None else {"prune": value})).prune == value


@pytest.mark.parametrize(
    ("until", "ends"),
    [
        ("2026-11-24T05:00:00Z", datetime(2026, 11, 24, 5, tzinfo=UTC)),
        ("2026-11-24T07:00:00+02:00", datetime(2026, 11, 24, 5, tzinfo=UTC)),
        (None, None),
        ("", None),
        ("tomorrow", None),
        ("2026-11-24T05:00:00", None),  # without a zone nobody knows when
        ("2026-11-24", None),
        ("9" * 5000, None),
    ],
)
def test_break_glass(until: str | None, ends: datetime | None) -> None:
    """It ends at a time that can be read; one that cannot must not end the protection."""
    more = {} if until is None else {"suspend_heal_until": until}
    assert annotated(suspend_heal="true", **more).break_glass == BreakGlass(until=ends)


@pytest.mark.parametrize("value", [None, "", "false", "True", "yes", "1"])
def test_what_is_no_break_glass(value: str | None) -> None:
    """Only `true` is; an end alone protects nothing."""
    marks = {"suspend_heal_until": "2030-01-01T00:00:00Z"}
    assert annotated(**marks, **({} if value is None else {"suspend_heal": value})).break_glass is None
