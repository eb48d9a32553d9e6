"""The facts about a live object that a plan needs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.unit.core.apply.owned import deployment, entry, stored

from nopea.core.apply.ignore_rules import IgnoreRules
from nopea.core.apply.projection import projection_hash
from nopea.core.health.assess import HealthStatus, assess
from nopea.core.plan.model import UNKNOWN_HEALTH, BreakGlass, Finish, ObservedObject
from nopea.core.plan.observed import observed_of

SUSPEND, UNTIL = "nopea.io/suspend-heal", "nopea.io/suspend-heal-until"

NOW = datetime(2026, 11, 24, 6, tzinfo=UTC)


def annotated(**annotations: Any) -> ObservedObject:
    """Return the facts of an object with these annotations, named without their prefix."""
    named = {f"nopea.io/{name.replace('_', '-')}": value for name, value in annotations.items()}
    return observed_of({"metadata": {"annotations": named}}, now=NOW)


def test_the_facts_of_an_object() -> None:
    """The facts are owner, version, uid, projection hash and health."""
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
def test_an_empty_object(live: dict[str, Any]) -> None:
    """An object without metadata has no owner and no projection."""
    found = observed_of(live, now=NOW)
    assert replace(found, health=UNKNOWN_HEALTH) == ObservedObject(owner=None, resource_version="")
    assert found.health.status is HealthStatus.UNKNOWN


def test_an_empty_owner_is_not_none() -> None:
    """An empty label counts as an owner."""
    assert observed_of({"metadata": {"labels": {"nopea.io/repository": ""}}}, now=NOW).owner == ""


def test_ignored_fields_are_not_in_the_projection() -> None:
    """The projection hash depends on the rules and not on ignored values."""
    live = stored(deployment())
    rules = IgnoreRules(pointers=("/spec/replicas",))
    before = observed_of(live, rules=rules, now=NOW).projection
    assert before != observed_of(live, now=NOW).projection
    live["spec"]["replicas"] = 9
    assert observed_of(live, rules=rules, now=NOW).projection == before
    assert (
        observed_of(stored(deployment(), entry({"f:spec": {"f:paused": {}}})), now=NOW).projection is not None
    )


def test_an_object_that_is_being_deleted() -> None:
    """Only the deletion timestamp counts."""
    assert observed_of({"metadata": {"deletionTimestamp": "2026-11-24T05:00:00Z"}}, now=NOW).terminating
    assert not observed_of({"metadata": {"deletionGracePeriodSeconds": 1}}, now=NOW).terminating


@pytest.mark.parametrize(
    ("annotations", "prune"),
    [
        ({"kustomize.toolkit.fluxcd.io/prune": "disabled"}, "false"),
        ({"kustomize.toolkit.fluxcd.io/prune": "enabled"}, None),
        ({"argocd.argoproj.io/sync-options": "Validate=false, Prune=false"}, "false"),
        ({"argocd.argoproj.io/sync-options": "Prune=confirm"}, "false"),
        ({"argocd.argoproj.io/sync-options": "Prune=true"}, None),
        ({"helm.sh/resource-policy": "keep"}, "false"),
        ({"helm.sh/resource-policy": "keep", "nopea.io/prune": "true"}, "true"),
    ],
)
def test_what_other_tools_keep_is_kept(annotations: dict[str, str], prune: str | None) -> None:
    """Nopea's own annotation decides where there is one."""
    assert observed_of({"metadata": {"annotations": annotations}}, now=NOW).prune == prune


@pytest.mark.parametrize("value", [None, "true", "false", "nonsense"])
def test_the_prune_annotation_is_kept_as_it_is(value: str | None) -> None:
    """The rules for pruning interpret the value."""
    assert annotated(**({} if value is None else {"prune": value})).prune == value


@pytest.mark.parametrize(
    ("until", "ends"),
    [
        ("2026-11-24T05:00:00Z", datetime(2026, 11, 24, 5, tzinfo=UTC)),
        ("2026-11-24T07:00:00+02:00", datetime(2026, 11, 24, 5, tzinfo=UTC)),
        (None, None),
        ("", None),
        ("tomorrow", None),
        ("2026-11-24T05:00:00", None),  # without a zone the time is ambiguous
        ("2026-11-24", None),
        ("9" * 5000, None),
    ],
)
def test_break_glass(until: str | None, ends: datetime | None) -> None:
    """An end that cannot be parsed does not end the protection."""
    more = {} if until is None else {"suspend_heal_until": until}
    assert annotated(suspend_heal="true", **more).break_glass == BreakGlass(until=ends)


@pytest.mark.parametrize("value", [None, "", "false", "True", "yes", "1"])
def test_no_break_glass(value: str | None) -> None:
    """Only the value `true` protects; an end alone does not."""
    marks = {"suspend_heal_until": "2030-01-01T00:00:00Z"}
    assert annotated(**marks, **({} if value is None else {"suspend_heal": value})).break_glass is None


def _job(*conditions: Any, kind: str = "Job") -> dict[str, Any]:
    return {"apiVersion": "batch/v1", "kind": kind, "status": {"conditions": list(conditions)}}


COMPLETE, FAILED = ({"type": type_, "status": "True"} for type_ in ("Complete", "Failed"))


@pytest.mark.parametrize(
    ("live", "finish"),
    [
        (_job(COMPLETE), Finish.COMPLETE),
        (_job({"type": "FailureTarget", "status": "True"}, FAILED), Finish.FAILED),
        (_job({"type": "FailureTarget", "status": "True"}), None),
        (_job({**COMPLETE, "status": "False"}), None),
        (_job({"type": "Suspended", "status": "True"}), None),
        (_job(None, 1, {}), None),
        (_job(COMPLETE, kind="CronJob"), None),
        ({"apiVersion": "batch/v1", "kind": "Job", "status": {"conditions": 1}}, None),
        ({"apiVersion": "batch/v1", "kind": "Job", "status": None}, None),
    ],
)
def test_how_a_job_ended(live: dict[str, Any], finish: Finish | None) -> None:
    """Only the conditions Complete and Failed of a Job say that it has ended; it is a fact for a plan."""
    found = observed_of(live, now=NOW)
    assert found.finish is finish
    assert (found.facts == replace(found, finish=None).facts) == (finish is None)
