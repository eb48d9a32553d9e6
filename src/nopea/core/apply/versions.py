"""Move claims in `managedFields` from versions that a kind no longer has to one that it has.

The API server converts an object to every version that its managedFields name. A custom resource with an
entry of a version that its CustomResourceDefinition dropped can therefore never be applied again, and any
other write loses all its entries. Decides nothing about who owns a field.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from nopea.core.apply.fieldset import entries, fields_of, union
from nopea.core.apply.projection import managed_fields_of


def migrate(live: Mapping[str, Any], *, served: Collection[str], to: str) -> bytes | None:
    """Return the JSON patch (RFC 6902) that renames the versions that are gone, or None if there are none.

    `served` are the apiVersions of the kind, `to` one of them. The patch changes only managedFields. It sets
    the resourceVersion to the one seen, so that the API server rejects it with 409, as it does an apply, if
    the object has changed; a failed `test` would be 422.
    """
    found = list(entries(managed_fields_of(live)))
    moved = [entry if entry.get("apiVersion") in served else {**entry, "apiVersion": to} for entry in found]
    if moved == found:
        return None
    version = live["metadata"]["resourceVersion"]
    return msgspec.json.encode(
        [
            {"op": "replace", "path": "/metadata/managedFields", "value": _merged(moved)},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
        ]
    )


def _merged(moved: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return one entry for entries that now differ in their fields and times only."""
    merged: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for entry in moved:
        who = tuple(entry.get(name) for name in ("manager", "operation", "apiVersion", "subresource"))
        known = merged.get(who)
        if known is not None:
            times = [str(each["time"]) for each in (known, entry) if each.get("time")]
            entry = {**entry, "fieldsV1": union(fields_of(known), fields_of(entry))}
            entry |= {"time": max(times)} if times else {}
        merged[who] = entry
    return list(merged.values())
