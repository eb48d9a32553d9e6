"""How the model of the status is written and read."""

from __future__ import annotations

import msgspec

from nopea.core.api.entries import Condition, DriftEntry, FieldChange, ObjectReference
from nopea.core.api.status import GitRepositoryStatus

NOW = "2026-11-24T05:00:00Z"


def test_status_survives_json() -> None:
    """A status that is written as JSON and read again is equal; its names are in camelCase."""
    ready = Condition(type="Ready", status="True", reason="Succeeded", message="", last_transition_time=NOW)
    change = FieldChange(path="/spec/replicas", from_="2", to="5")
    drift = DriftEntry(
        object=ObjectReference(group="apps", kind="Deployment", namespace="shop", name="web"),
        kind="manual_drift",
        fields=(change,),
    )
    status = GitRepositoryStatus(summary="1 object in sync", drifts=(drift,), conditions=(ready,))

    wire = msgspec.json.encode(status)

    assert msgspec.json.decode(wire, type=GitRepositoryStatus) == status
    assert b'"lastTransitionTime"' in wire
    assert b'"from":"2"' in wire


def test_absent_fields_are_not_written() -> None:
    """Unknown fields are omitted; zero is written."""
    assert msgspec.json.encode(GitRepositoryStatus(resource_count=0)) == b'{"resourceCount":0}'
