"""What somebody should know of a GitRepository, worst first."""

from __future__ import annotations

from typing import Any

import pytest
from tests.fakes.samples import READY, repository

from nopea.core.health.rules import HealthStatus
from nopea.core.objects import ObjectKey
from nopea.core.status.concerns import ConcernKind, concerns_of
from nopea.core.status.object_states import ObjectState, pack_states

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
    "action": "left: manual",
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
        ({"conditions": [READY], "objectStates": CRASHING}, ["unhealthy"]),
        ({"conditions": [READY], "drifts": [DRIFT]}, ["drifted"]),
        ({"conditions": [READY, _condition("Contended")], "drifts": [DRIFT]}, ["contended", "drifted"]),
        ({"conditions": [READY, _condition("Watching", "False")]}, ["held"]),
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

    assert concern.message == "Changed by kubectl: .spec.replicas 2 → 5 (left: manual)."
    assert concern.since == "2026-11-24T04:00:00Z"
    assert "nopea heal" in concern.hint


@pytest.mark.parametrize("kind", list(ConcernKind))
def test_only_some_need_somebody(kind: ConcernKind) -> None:
    """A suspension is what somebody wants."""
    assert kind.needs_somebody is (kind not in (ConcernKind.WAITING, ConcernKind.HELD))


def test_a_suspension_and_a_rollback_are_told() -> None:
    """With the way out."""
    suspended = repository(suspend=True, status={"conditions": [READY]})

    (concern,) = concerns_of(suspended)

    assert concern.kind is ConcernKind.HELD
    assert "nopea resume" in concern.hint
