"""Claims in versions that a kind no longer has."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from nopea.core.apply.versions import migrate

OLD, NEW = "shop.example/v1beta1", "shop.example/v1"


def _entry(
    manager: str, version: str, *fields: str, operation: str = "Apply", time: str = ""
) -> dict[str, Any]:
    entry = {
        "manager": manager,
        "operation": operation,
        "apiVersion": version,
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {f"f:{field}": {} for field in fields}},
    }
    return {**entry, "time": time} if time else entry


def _live(*managed_fields: Any) -> dict[str, Any]:
    return {"apiVersion": NEW, "metadata": {"resourceVersion": "7", "managedFields": list(managed_fields)}}


@pytest.mark.parametrize("entries", [[], [_entry("nopea", NEW, "a"), _entry("op", OLD, "b")], ["x", None]])
def test_without_a_version_that_is_gone_there_is_no_patch(entries: list[Any]) -> None:
    """Entries of other versions that are served keep them."""
    assert migrate(_live(*entries), served={OLD, NEW}, to=NEW) is None


def test_only_versions_that_are_gone_are_renamed() -> None:
    """Ours and those of others, in one patch at the version that was seen."""
    served = "shop.example/v1beta2"
    entries = [
        _entry("nopea", OLD, "a"),
        _entry("op", served, "b"),
        _entry("x", OLD, "c", operation="Update"),
    ]
    patch = orjson.loads(migrate(_live(*entries), served={served, NEW}, to=NEW) or b"")
    assert [operation["path"] for operation in patch] == [
        "/metadata/managedFields",
        "/metadata/resourceVersion",
    ]
    assert patch[0]["value"] == [
        _entry("nopea", NEW, "a"),
        _entry("op", served, "b"),
        _entry("x", NEW, "c", operation="Update"),
    ]
    assert patch[1]["value"] == "7"


def test_entries_that_become_the_same_are_united() -> None:
    """The API server would keep only one of two entries of one manager in one version."""
    entries = [
        _entry("op", OLD, "a", operation="Update", time="2026-01-02T00:00:00Z"),
        _entry("op", NEW, "b", operation="Update", time="2026-01-01T00:00:00Z"),
        _entry("op", OLD, "c"),
    ]
    patch = orjson.loads(migrate(_live(*entries), served={NEW}, to=NEW) or b"")
    assert patch[0]["value"] == [
        _entry("op", NEW, "a", "b", operation="Update", time="2026-01-02T00:00:00Z"),
        _entry("op", NEW, "c"),
    ]
