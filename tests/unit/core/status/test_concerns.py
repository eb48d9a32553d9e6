"""What somebody should know of a GitRepository, worst first."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.fakes.samples import READY, repository

from nopea.core.health.rules import HealthStatus
from nopea.core.objects import ObjectKey
from nopea.core.status.concerns import ConcernKind, concerns_of
from nopea.core.status.object_states import ObjectState, SyncStatus, pack_states

API = ObjectKey("apps", "Deployment", "shop", "api")
ERROR = {
    "code": "NOPEA-K003",
    "message": "spec.replica is unknown.",
    "hint": "Correct the manifest.",
    "source": "api.yaml#1",
    "object": {"group": "apps", "kind": "Deployment", "namespace": "shop", "name": "api"},
}
DRIFT = {
    "object": ERROR["object"],
    "kind": "manual_drift",
    "fields": [{"path": ".spec.replicas", "from": "2", "to": "5"}],
    "manager": "kubectl",
    "since": "2026-11-24T04:00:00Z",
    "action": "left: policy",
}
CRASHING = pack_states({API: ObjectState(health=HealthStatus.FAILED, health_message="CrashLoopBackOff")})


def _condition(type_: str, status: str = "True", message: str = "It is so.") -> dict[str, str]:
    return {**READY, "type": type_, "status": status, "message": message}


@pytest.mark.parametrize(
    ("status", "kinds"),
    [
        ({"conditions": [READY]}, []),
        ({}, ["waiting"]),
        ({"conditions": [_condition("Ready", "False")]}, ["failing"]),
        ({"conditions": [READY], "errors": [ERROR], "errorCount": 1}, ["failing"]),
        ({"conditions": [READY], "errors": [ERROR], "errorCount": 24}, ["failing", "failing"]),
        ({"conditions": [READY], "errors": [{**ERROR, "code": "NOPEA-S002"}], "errorCount": 1}, ["waiting"]),
        ({"conditions": [READY], "errors": [{**ERROR, "code": "NOPEA-S004"}], "errorCount": 1}, ["failing"]),
        ({"conditions": [READY], "objectStates": CRASHING}, ["unhealthy"]),
        ({"conditions": [READY, _condition("Healthy", "Unknown")]}, ["waiting"]),
        ({"conditions": [READY, _condition("Healthy", "False")], "objectStates": CRASHING}, ["unhealthy"]),
        ({"conditions": [READY], "drifts": [DRIFT]}, ["drifted"]),
        ({"conditions": [READY, _condition("Contended")], "drifts": [DRIFT]}, ["contended", "drifted"]),
        ({"conditions": [READY, _condition("Watching", "False")]}, ["not watched"]),
        (
            {
                "conditions": [READY],
                "drifts": [DRIFT],
                "objectStates": CRASHING,
                "errors": [ERROR],
                "errorCount": 1,
            },
            ["failing", "unhealthy", "drifted"],
        ),
    ],
)
def test_the_worst_comes_first(status: dict[str, Any], kinds: list[str]) -> None:
    """What nobody must do something about comes last."""
    assert [each.kind for each in concerns_of(repository(status=status))] == kinds


@pytest.mark.parametrize(("seconds", "kind"), [(299, "waiting"), (301, "failing"), (None, "waiting")])
def test_what_no_controller_looks_at_needs_somebody(seconds: int | None, kind: str) -> None:
    """It may be in a namespace that is not watched."""
    created = datetime(2026, 11, 24, 5, tzinfo=UTC)
    new = replace(repository(), created="2026-11-24T05:00:00Z")

    (concern,) = concerns_of(new, now=None if seconds is None else created + timedelta(seconds=seconds))

    assert concern.kind == kind
    assert "watches this namespace" in concern.hint


def test_an_error_is_told_whole() -> None:
    """With its place, its code and what to do."""
    status = {
        "errors": [ERROR],
        "errorCount": 1,
        "failingSince": "2026-11-24T05:00:00Z",
        "conditions": [READY],
    }

    (concern,) = concerns_of(repository(status=status))

    assert (concern.code, concern.source, concern.object) == (
        "NOPEA-K003",
        "api.yaml#1",
        "apps/Deployment shop/api",
    )
    assert (concern.hint, concern.since) == ("Correct the manifest.", "2026-11-24T05:00:00Z")


def test_drift_names_who_caused_it() -> None:
    """And the fields, from and to."""
    (concern,) = concerns_of(repository(status={"drifts": [DRIFT], "conditions": [READY]}))

    assert concern.message == (
        "Changed by kubectl: .spec.replicas 2 → 5. Not reverted: spec.healPolicy leaves it to you."
    )
    assert concern.since == "2026-11-24T04:00:00Z"
    assert "nopea heal" in concern.hint


@pytest.mark.parametrize(
    ("action", "suspend", "told"),
    [
        ("left: policy", False, "`nopea heal api -n shop` reverts it"),
        (
            "left: break-glass",
            False,
            "`nopea resume api -n shop apps/Deployment shop/api` ends the protection",
        ),
        ("left: policy", True, "whole difference."),
    ],
)
def test_the_hint_of_drift_is_what_works(action: str, suspend: bool, told: str) -> None:
    """A heal writes nothing under break-glass, and nothing to what is suspended."""
    status = {"drifts": [{**DRIFT, "action": action}], "conditions": [READY]}

    concern = concerns_of(repository(suspend=suspend, status=status))[0]

    assert told in concern.hint
    assert ("nopea heal" in concern.hint) is (action == "left: policy" and not suspend)


@pytest.mark.parametrize("kind", list(ConcernKind))
def test_only_some_need_somebody(kind: ConcernKind) -> None:
    """A suspension is what somebody wants, and who waits is woken."""
    assert kind.needs_somebody is (kind in tuple(ConcernKind)[:4])


def test_an_object_under_break_glass_is_told() -> None:
    """Git may have changed it since; nobody sees that in the cluster."""
    protected = pack_states(
        {API: ObjectState(sync=SyncStatus.SUSPENDED, sync_message="break-glass until 6:00")}
    )

    (held,) = concerns_of(repository(status={"conditions": [READY], "objectStates": protected}))

    assert (held.kind, held.object) == (ConcernKind.SUSPENDED, "apps/Deployment shop/api")
    assert held.message == "Nothing is written to it, not even changes in Git (break-glass until 6:00)."
    assert held.hint == "`nopea resume api -n shop apps/Deployment shop/api` ends it."


def test_a_suspension_and_a_rollback_are_told() -> None:
    """With the way out."""
    pin = {"nopea.io/rollback-to": "c0ffee0" + "0" * 33}
    conditions = [READY, _condition("Suspended"), _condition("RolledBack")]

    held, pinned = concerns_of(repository(suspend=True, annotations=pin, status={"conditions": conditions}))

    assert (held.kind, held.since) == (ConcernKind.SUSPENDED, "2026-11-24T05:00:00Z")
    assert "nopea resume" in held.hint
    assert pinned.message == "Commit c0ffee0 is applied; branch main is not followed."
    assert "--resume" in pinned.hint


@pytest.mark.parametrize(("health", "kinds"), [("Progressing", ["waiting"]), ("Unhealthy", ["unhealthy"])])
def test_a_rollout_is_waited_for(health: str, kinds: list[str]) -> None:
    """With spec.wait, Ready is False during it, which is told once; what is unhealthy needs somebody."""
    ready = {**_condition("Ready", "False"), "reason": "NotHealthy"}
    told = {"status": health, "object": ERROR["object"], "message": "0 of 2 replicas exist"}

    healthy = _condition("Healthy", "Unknown" if health == "Progressing" else "False")

    found = concerns_of(repository(status={"conditions": [ready, healthy], "health": told}))

    assert [each.kind for each in found] == kinds


@pytest.mark.parametrize(("count", "text"), [(2, "1 more problem is"), (9, "8 more problems are")])
def test_problems_that_are_not_listed_are_counted(count: int, text: str) -> None:
    """One is not several."""
    found = concerns_of(repository(status={"conditions": [READY], "errors": [ERROR], "errorCount": count}))
    assert [each.message for each in found][1:] == [f"{text} not listed."]
