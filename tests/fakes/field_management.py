"""Server-side apply (KEP-555) over plain JSON: the object that results from an apply or an update.

Pure; the fake API server stores the result. It has no schemas: lists are atomic, except the few that
`_LISTS` names, and what a CustomResourceDefinition would default or drop stays as it was sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from nopea.core.apply.fieldset import (
    Fields,
    Path,
    difference,
    fields_of,
    leaves,
    union,
    without,
)
from nopea.core.apply.list_items import item_key, member_key

Json = dict[str, Any]

_LISTS: Mapping[str, tuple[str, ...]] = {
    "finalizers": (),
    "ownerReferences": ("uid",),
    "containers": ("name",),
}
"""The merged lists, with the keys of their items; a list without keys is a set."""

_EMPTY_IS_ABSENT = ("labels", "annotations", "finalizers", "ownerReferences", "data")
_SERVER = ("name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields",
           "deletionTimestamp", "deletionGracePeriodSeconds")  # fmt: skip


class FieldConflictError(Exception):
    """An apply without force would change fields of other managers; `conflicts` lists managers and paths."""

    def __init__(self, conflicts: list[tuple[str, Path]]) -> None:
        super().__init__(conflicts)
        self.conflicts = conflicts


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """The author of a write: a manager with its operation (Apply or Update), version and subresource."""

    manager: str
    operation: str
    api_version: str
    time: str
    subresource: str = ""

    def owns(self, entry: Mapping[str, Any]) -> bool:
        """Return whether a managedFields entry belongs to this writer."""
        ours = (self.manager, self.operation, self.subresource)
        return ours == (entry["manager"], entry["operation"], entry.get("subresource", ""))


def applied(live: Json, config: Json, writer: Writer, *, force: bool) -> Json:
    """Return the object after an apply; raises FieldConflictError."""
    wanted = _fields(_managed_part(config))
    entries = _entries(live)
    given_up = difference(_of(writer, entries), wanted)
    for entry in entries:
        if not writer.owns(entry):
            given_up = difference(given_up, fields_of(entry))
    merged = _without_empty(without(_merge(live, config), given_up), given_up)
    changed = _differences(_managed_part(live), _managed_part(merged))
    conflicts = [
        (entry["manager"], path)
        for entry in entries
        if not writer.owns(entry)
        for path in leaves(_intersection(fields_of(entry), _intersection(wanted, changed)))
    ]
    if conflicts and not force:
        raise FieldConflictError(conflicts)
    return _managed(merged, entries, writer, changed=changed, owned=wanted)


def updated(before: Json, after: Json, writer: Writer) -> Json:
    """Return the object after an update or patch: the writer owns what it changed, others lose it."""
    entries = _entries(after)
    changed = _differences(_managed_part(before), _managed_part(after))
    taken = _present(changed, after)
    owned = union(difference(_of(writer, entries), changed), taken)
    before_that = next((entry["time"] for entry in entries if writer.owns(entry)), "")
    writer = writer if taken else replace(writer, time=before_that)
    return _managed(after, entries, writer, changed=changed, owned=owned)


def _managed(value: Json, entries: Iterable[Json], writer: Writer, *, changed: Fields, owned: Fields) -> Json:
    """Return the object with new managedFields and without the empty maps that Kubernetes drops."""
    kept: list[Json] = []
    for entry in entries:
        fields = difference(fields_of(entry), changed)
        if not writer.owns(entry) and fields:
            kept.append({**entry, "fieldsV1": fields})
    if owned:
        entry = {
            "manager": writer.manager,
            "operation": writer.operation,
            "apiVersion": writer.api_version,
            "time": writer.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": owned,
        }
        kept.append({**entry, "subresource": writer.subresource} if writer.subresource else entry)
    metadata = {
        name: part for name, part in value["metadata"].items() if part or name not in _EMPTY_IS_ABSENT
    }
    rest = {name: part for name, part in value.items() if part or name not in _EMPTY_IS_ABSENT}
    return {**rest, "metadata": {**metadata, "managedFields": kept}}


def _entries(value: Json) -> list[Json]:
    found: list[Json] = value["metadata"].get("managedFields") or []
    return [entry for entry in found if entry]


def _of(writer: Writer, entries: Iterable[Json]) -> Fields:
    return next((fields_of(entry) for entry in entries if writer.owns(entry)), {})


def _managed_part(value: Json) -> Json:
    metadata = {name: part for name, part in value.get("metadata", {}).items() if name not in _SERVER}
    rest = {name: part for name, part in value.items() if name not in ("apiVersion", "kind")}
    return {**rest, "metadata": metadata}


def _children(value: Any, name: str = "") -> dict[str, Any] | None:
    """Return a value's fields, or the items of a merged list, by path element; None for a leaf."""
    if isinstance(value, dict):
        return {f"f:{key}": child for key, child in value.items()}
    if isinstance(value, list) and name in _LISTS:
        keys = _LISTS[name]
        return {(item_key(item, keys) or "") if keys else member_key(item): item for item in value}
    return None


def _fields(value: Any, name: str = "") -> Fields:
    """Return the field set of an applied configuration: its leaves and the items of merged lists."""
    marks: Json = {".": {}} if isinstance(value, dict) and name[:2] == "k:" else {}
    children = _children(value, name.removeprefix("f:")) or {}
    fields = {key: _fields(child, key) for key, child in children.items()}
    return {**marks, **{key: child for key, child in fields.items() if child or key != "f:metadata"}}


def _merge(live: Any, config: Any, name: str = "") -> Any:
    mine, theirs = _children(live, name), _children(config, name)
    if mine is None or theirs is None:
        return config
    merged = {**mine}
    for key, child in theirs.items():
        merged[key] = _merge(mine[key], child, key.removeprefix("f:")) if key in mine else child
    return (
        list(merged.values()) if isinstance(live, list) else {key[2:]: part for key, part in merged.items()}
    )


def _differences(before: Any, after: Any, name: str = "") -> Fields:
    """Return the fields that were added, changed or removed; `.` marks a map that appeared or disappeared."""
    old, new = _children(before, name), _children(after, name)
    if (old is None and new is None) or not (old or new):
        return {}
    found: Json = {}
    for key in {**(old or {}), **(new or {})}:
        one, other = (old or {}).get(key), (new or {}).get(key)
        if one == other:
            continue
        inner = key.removeprefix("f:")
        found[key] = _differences(one, other, inner)
        both = _children(one, inner), _children(other, inner)
        if both[0] != both[1] and None in both and found[key]:
            found[key] = {".": {}, **found[key]}
    return found


def _present(fields: Fields, value: Any, name: str = "") -> Fields:
    """Return the part of a field set that exists in a value."""
    children = _children(value, name) or {}
    found: Json = {".": {}} if "." in fields else {}
    for key, node in fields.items():
        if key in children:
            part = _present(node, children[key], key.removeprefix("f:"))
            if part or not node:
                found[key] = part
    return found


def _intersection(one: Fields, other: Fields) -> Fields:
    return difference(one, difference(one, other))


def _without_empty(value: Any, fields: Fields) -> Any:
    """Drop the maps that became empty when the fields of the set were removed."""
    if not isinstance(value, dict):
        return value
    kept: Json = {}
    for key, child in value.items():
        below = fields.get(f"f:{key}")
        part = _without_empty(child, below) if below else child
        if part not in ({}, []) or not below:
            kept[key] = part
    return kept
