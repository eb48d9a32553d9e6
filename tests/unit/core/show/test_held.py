"""What keeps a GitRepository from doing what a plan shows."""

from __future__ import annotations

from typing import Any

import pytest
from tests.fakes.samples import READY, repository

from nopea.core.api.names import ROLLBACK_ANNOTATION
from nopea.core.show.held import held_notes

PIN = {ROLLBACK_ANNOTATION: "c0ffee0" + "0" * 33}


def waits(code: str) -> dict[str, Any]:
    """Return a status with an error of this code."""
    return {"errors": [{"code": code, "message": "No.", "hint": ""}], "errorCount": 1, "conditions": [READY]}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, []),
        ({"suspend": True}, ["`nopea resume api -n shop`"]),
        ({"annotations": PIN}, ["`nopea rollback api -n shop --resume`"]),
        ({"annotations": PIN, "suspend": True}, ["rolled back: branch main", "suspended"]),
        ({"status": waits("NOPEA-S002")}, ["`nopea why api -n shop`"]),
        ({"status": waits("NOPEA-S003")}, ["waits for another one"]),
        ({"status": waits("NOPEA-K003")}, []),
    ],
)
def test_each_hold_is_told_with_its_end(changes: dict[str, Any], told: list[str]) -> None:
    """A problem with an object holds nothing else."""
    notes = list(held_notes(repository(**changes)))

    assert len(notes) == len(told)
    assert all(part in note for part, note in zip(told, notes, strict=True))


def test_what_is_being_deleted_applies_nothing() -> None:
    """Then nothing else matters."""
    deleted = repository(suspend=True, deleting=True)

    assert list(held_notes(deleted)) == ["The GitRepository is being deleted: nothing is applied any more."]
