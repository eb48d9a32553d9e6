"""Take over what people set with kubectl, so that the next apply removes what Git omits.

Server-side apply deletes only what its own manager applied before. So the claims of people's tools move into
our Apply entry, in one JSON patch that changes no field of the object but kubectl's own annotation; the apply
after it decides by Git alone. Pure: the caller sends the patch, and asks again after a 409. Claims of all
other managers (controllers, Helm, other appliers) stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from nopea.core.api import names
from nopea.core.apply.fieldset import (
    MAX_DEPTH,
    NO_FIELDS,
    Fields,
    difference,
    entries,
    entry_of,
    fields_of,
    find,
    node_at,
    union,
)
from nopea.core.apply.ignore_rules import NO_RULES, PEOPLE, IgnoreRules, fields_without
from nopea.core.apply.list_items import positions
from nopea.core.apply.projection import LAST_APPLIED, managed_fields_of

BEFORE_FIRST_APPLY: Final = "before-first-apply"
"""Who owns, so the API server says, the fields of an object that had no managedFields at its first apply."""

_SUBRESOURCES: Final = ("", "scale")
"""Through `scale`, people set a field of the object itself."""

_LAST_APPLIED_PATH: Final = ("f:metadata", "f:annotations", f"f:{LAST_APPLIED}")
_LAST_APPLIED_FIELDS: Final[Fields] = {"f:metadata": {"f:annotations": {f"f:{LAST_APPLIED}": {}}}}
_MARK: Final[Fields] = {"f:metadata": {"f:annotations": {".": {}}}}
_NOTHING_KNOWN: Final[Mapping[str, Any]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Adopting:
    """One live object and the rules that hold for it."""

    live: Mapping[str, Any]
    rules: IgnoreRules
    api_version: str
    """The version of our entry, old or new: an Apply entry has one, and its fields are named as there."""

    def concerns(self, entry: Mapping[str, Any]) -> bool:
        """Whether an entry's claims are to be taken over."""
        manager = entry.get("manager")
        return (
            (entry.get("subresource") or "") in _SUBRESOURCES
            and (manager == BEFORE_FIRST_APPLY or PEOPLE.matches(manager))
            and not self.rules.ignores_manager(manager)
        )

    def kept(self, fields: Fields) -> Fields:
        """Return what stays a person's: how they steer us, what the spec leaves to others, and status."""
        ignored = difference(fields, fields_without(fields, self.live, self.rules.pointers))
        return union(ignored, _steering(fields))

    def claims(self, entry: Mapping[str, Any], freed: Fields) -> Fields:
        """Return what of an entry's freed claims becomes ours; the others are given up, the values stay."""
        claims = difference(freed, _LAST_APPLIED_FIELDS)
        if entry.get("manager") == BEFORE_FIRST_APPLY:
            # It lumps kubectl's fields with those of controllers and of the API server itself; taking those
            # over would remove replicas that an autoscaler set, finalizers, a claim's volumeName.
            claims = _within(claims, last_applied_of(self.live))
        if entry.get("apiVersion") != self.api_version:
            # Versions seldom name a field differently; where one does, nothing stands at the old path.
            claims = _within(claims, self.live)
        return claims


def adopt(live: Mapping[str, Any], *, rules: IgnoreRules = NO_RULES) -> bytes | None:
    """Return the JSON patch (RFC 6902) that makes people's claims ours, or None where there are none.

    `live` is the whole object as stored, `rules` its share of `ignoreDifferences`. The patch is refused with
    409 when the object has changed since. Given the patched object it returns None. Annotations below
    `nopea.io/` that a person set, and status, stay theirs.

    An object without managedFields has no claims yet: ask again with what its first apply returns.
    """
    managed_fields = managed_fields_of(live)
    ours = entry_of(managed_fields, manager=names.FIELD_MANAGER)
    version = (ours or live).get("apiVersion")
    adopting = _Adopting(live=live, rules=rules, api_version=str(version))
    taken, remaining = _sort_out(adopting, managed_fields)

    operations: list[dict[str, Any]] = []
    if taken:
        merged = _with_claims(remaining, ours, taken, api_version=adopting.api_version)
        operations.append({"op": "replace", "path": "/metadata/managedFields", "value": merged})
    if _last_applied_is_nobodys(live, remaining):
        name = LAST_APPLIED.replace("/", "~1")
        operations.append({"op": "remove", "path": f"/metadata/annotations/{name}"})
    if not operations:
        return None
    seen = live["metadata"]["resourceVersion"]
    operations.append({"op": "replace", "path": "/metadata/resourceVersion", "value": seen})
    return msgspec.json.encode(operations)


def _sort_out(
    adopting: _Adopting, managed_fields: Any
) -> tuple[list[tuple[Mapping[str, Any], Fields]], list[Mapping[str, Any]]]:
    """Return people's entries, each with the claims that become ours, and the entries that remain."""
    taken: list[tuple[Mapping[str, Any], Fields]] = []
    remaining: list[Mapping[str, Any]] = []
    for entry in entries(managed_fields):
        kept = adopting.kept(fields_of(entry)) if adopting.concerns(entry) else fields_of(entry)
        freed = difference(fields_of(entry), kept)
        if not freed or freed == _MARK:
            remaining.append(entry)
            continue
        taken.append((entry, adopting.claims(entry, freed)))
        if kept:
            remaining.append({**entry, "fieldsV1": kept})
    return taken, remaining


def last_applied_of(live: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the manifest that `kubectl apply` left in its annotation; empty where there is none to read."""
    text = find(live, _LAST_APPLIED_PATH)
    if not isinstance(text, str):
        return _NOTHING_KNOWN
    try:
        manifest = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):  # anybody may write the annotation
        return _NOTHING_KNOWN
    return manifest if isinstance(manifest, dict) else _NOTHING_KNOWN


def _with_claims(
    remaining: list[Mapping[str, Any]],
    ours: Mapping[str, Any] | None,
    taken: list[tuple[Mapping[str, Any], Fields]],
    *,
    api_version: str,
) -> list[Mapping[str, Any]]:
    """Return the new managedFields: our entry, grown or new, and the others."""
    fields = fields_of(ours)
    for _, claims in taken:
        fields = union(fields, claims)
    others = [entry for entry in remaining if entry is not ours]
    if not fields:
        return others
    times = [str(entry["time"]) for entry, claims in taken if claims and entry.get("time")]
    entry: dict[str, Any] = {
        "manager": names.FIELD_MANAGER,
        "operation": "Apply",
        "apiVersion": api_version,
        "fieldsType": "FieldsV1",
        **(ours or {}),
        "fieldsV1": fields,
    }
    if "time" not in entry and times:
        entry["time"] = max(times)
    return [entry, *others]


def _last_applied_is_nobodys(live: Mapping[str, Any], remaining: list[Mapping[str, Any]]) -> bool:
    """Whether kubectl's annotation stands there and no remaining manager claims it.

    Without managedFields it is the only record of what kubectl applied, and stays until that is taken over.
    """
    return (
        bool(managed_fields_of(live))
        and find(live, _LAST_APPLIED_PATH) is not None
        and all(node_at(fields_of(entry), _LAST_APPLIED_PATH) is None for entry in remaining)
    )


def _steering(fields: Fields) -> Fields:
    """Return the claims on annotations by which people steer us, and on status, which Git never sets."""
    kept: dict[str, Any] = {}
    if "f:status" in fields:
        kept["f:status"] = fields["f:status"]
    annotations = node_at(fields, ("f:metadata", "f:annotations"))
    if isinstance(annotations, dict):
        mine = {
            key: node
            for key, node in annotations.items()
            if key.startswith(f"f:{names.GROUP}/") and key != f"f:{names.SOURCE_ANNOTATION}"
        }
        if mine:
            kept["f:metadata"] = {"f:annotations": mine}
    return kept


def _within(fields: Fields, value: Any, depth: int = 0) -> Fields:
    """Return the part of a set whose fields stand in the value."""
    found: dict[str, Any] = {}
    where = positions(value, fields) if isinstance(value, list) else {}
    for key, node in fields.items():
        if key == ".":
            found[key] = node
            continue
        if isinstance(value, dict) and key[:2] == "f:":
            child = value.get(key[2:])
        else:
            child = value[where[key]] if key in where else None
        if child is None:
            continue
        if not isinstance(node, dict) or not node or depth >= MAX_DEPTH:
            found[key] = node
        elif part := _within(node, child, depth + 1):
            found[key] = part
    return found or NO_FIELDS
