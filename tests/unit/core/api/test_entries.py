"""The parts of the status."""

from __future__ import annotations

import msgspec
import pytest

from nopea.core.api.entries import Condition, ObjectReference
from nopea.core.objects import ObjectKey

NOW = "2026-11-24T05:00:00Z"
WEB = ObjectKey("apps", "Deployment", "shop", "web")


@pytest.mark.parametrize("status", ["true", "Maybe", "True\n"])
def test_condition_status_is_one_of_three(status: str) -> None:
    """The status of a condition is True, False or Unknown."""
    raw = {"type": "Ready", "status": status, "reason": "A", "message": "", "lastTransitionTime": NOW}

    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(raw, Condition)


@pytest.mark.parametrize("key", [WEB, ObjectKey("", "Namespace", "", "shop")])
def test_a_reference_is_a_key_in_parts(key: ObjectKey) -> None:
    """It is read back equal, prints like the key, and has no empty parts on the wire."""
    reference = ObjectReference.of(key)
    wire = msgspec.to_builtins(reference)

    assert msgspec.convert(wire, ObjectReference).key == key
    assert str(reference) == str(key)
    assert "" not in wire.values()


def test_a_name_that_no_object_can_have_is_cut() -> None:
    """The API server would refuse the whole status."""
    reference = ObjectReference.of(ObjectKey("g" * 300, "K" * 300, "n" * 300, "w" * 300))

    assert msgspec.convert(msgspec.to_builtins(reference), ObjectReference) == reference
