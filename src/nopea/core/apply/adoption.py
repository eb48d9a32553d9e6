"""Adopt the fields that other tools set, so that the next apply removes those that Git omits.

Server-side apply removes only fields that its own manager applied before. So the claims of interactive tools,
and of the tools that deployed an object before Nopea did, move to our Apply entry, in one JSON patch that
changes nothing but `managedFields` and kubectl's annotation; the next apply follows Git alone. The caller
sends the patch, and calls again after a 409. Claims of all other managers, such as controllers, never change.
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
from nopea.core.apply.ignore_rules import (
    NO_RULES,
    PEOPLE,
    RESTARTS,
    IgnoreRules,
    ManagerPatterns,
    fields_without,
)
from nopea.core.apply.list_items import positions
from nopea.core.apply.projection import LAST_APPLIED, managed_fields_of

NOBODY: Final = ManagerPatterns(())

BEFORE_FIRST_APPLY: Final = "before-first-apply"
"""The manager to which the API server attributes the fields of an object without managedFields."""

_SUBRESOURCES: Final = ("", "scale")
"""`kubectl scale` sets a field of the object through the subresource."""

_OF_CONTROLLERS: Final = ("f:finalizers", "f:ownerReferences")
"""A deployer with these claims is a controller too: without them its object is deleted without a cleanup."""

_LAST_APPLIED_PATH: Final = ("f:metadata", "f:annotations", f"f:{LAST_APPLIED}")
_LAST_APPLIED_FIELDS: Final[Fields] = {"f:metadata": {"f:annotations": {f"f:{LAST_APPLIED}": {}}}}
_MARKS: Final[Fields] = {
    "f:metadata": {"f:annotations": {".": {}}},
    "f:spec": {"f:template": {"f:metadata": {"f:annotations": {".": {}}}}},
}
"""What is left of the claims of a tool that only set annotations that are not adopted."""
_NOTHING_KNOWN: Final[Mapping[str, Any]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Adopting:
    """One live object and its rules."""

    live: Mapping[str, Any]
    rules: IgnoreRules
    deployers: ManagerPatterns
    api_version: str
    """The apiVersion of our Apply entry; its field names are those of that version."""

    def concerns(self, entry: Mapping[str, Any]) -> bool:
        """Whether the claims of an entry are adopted."""
        manager = entry.get("manager")
        return (
            (entry.get("subresource") or "") in _SUBRESOURCES
            and (manager == BEFORE_FIRST_APPLY or PEOPLE.matches(manager) or self.deployers.matches(manager))
            and not self.rules.ignores_manager(manager)
        )

    def not_adopted(self, entry: Mapping[str, Any]) -> Fields:
        """Return an entry's claims that stay: annotations for Nopea and restarts, ignored fields and status.

        Of a deployer, its finalizers and owner references too.
        """
        fields = fields_of(entry)
        ignored = difference(fields, fields_without(fields, self.live, self.rules.pointers))
        restarts = difference(fields, difference(fields, RESTARTS))
        kept = union(union(ignored, restarts), _control_fields(fields))
        if self.deployers.matches(entry.get("manager")):
            metadata = fields.get("f:metadata") or NO_FIELDS
            controlled = {name: metadata[name] for name in _OF_CONTROLLERS if name in metadata}
            kept = union(kept, {"f:metadata": controlled} if controlled else NO_FIELDS)
        return kept

    def claims(self, entry: Mapping[str, Any], freed: Fields) -> Fields:
        """Return the part of an entry's freed claims that becomes ours; nobody owns the rest."""
        claims = difference(freed, _LAST_APPLIED_FIELDS)
        if entry.get("manager") == BEFORE_FIRST_APPLY:
            # It mixes kubectl's fields with those of controllers and of the API server; adopting all of them
            # would remove replicas that an autoscaler set, finalizers, a claim's volumeName.
            claims = _within(claims, last_applied_of(self.live))
        if entry.get("apiVersion") != self.api_version:
            # Versions rarely rename a field; if one does, there is no value at the old path.
            claims = _within(claims, self.live)
        return claims


def adopt(
    live: Mapping[str, Any], *, rules: IgnoreRules = NO_RULES, deployers: ManagerPatterns = NOBODY
) -> bytes | None:
    """Return the JSON patch (RFC 6902) that moves claims to our entry; None if there is nothing to move.

    The claims are those of people and of `deployers`. `live` is the whole object as stored, `rules` its part
    of `ignoreDifferences`. The API server rejects the patch with 409 if the object has changed. For the
    patched object the result is None. Annotations below `nopea.io/` and status keep their owners.

    An object without managedFields has no claims yet: call again with the result of its first apply.
    """
    ours = entry_of(managed_fields_of(live), manager=names.FIELD_MANAGER)
    adopting = _adopting(live, rules, deployers)
    adopted, remaining = _split(adopting, managed_fields_of(live))

    operations: list[dict[str, Any]] = []
    if adopted:
        merged = _with_claims(remaining, ours, adopted, api_version=adopting.api_version)
        operations.append({"op": "replace", "path": "/metadata/managedFields", "value": merged})
    if _last_applied_has_no_owner(live, remaining):
        name = LAST_APPLIED.replace("/", "~1")
        operations.append({"op": "remove", "path": f"/metadata/annotations/{name}"})
    if not operations:
        return None
    version_seen = live["metadata"]["resourceVersion"]
    operations.append({"op": "replace", "path": "/metadata/resourceVersion", "value": version_seen})
    return msgspec.json.encode(operations)


def adopted_fields(
    live: Mapping[str, Any], *, rules: IgnoreRules, deployers: ManagerPatterns
) -> tuple[Fields, Fields]:
    """Return the claims that `adopt` moves to our entry, and those that others keep."""
    adopted, remaining = _split(_adopting(live, rules, deployers), managed_fields_of(live))
    ours = entry_of(remaining, manager=names.FIELD_MANAGER)
    claims = others = NO_FIELDS
    for _, fields in adopted:
        claims = union(claims, fields)
    for entry in remaining:
        if entry is not ours:
            others = union(others, fields_of(entry))
    return claims, others


def _adopting(live: Mapping[str, Any], rules: IgnoreRules, deployers: ManagerPatterns) -> _Adopting:
    ours = entry_of(managed_fields_of(live), manager=names.FIELD_MANAGER)
    version = (ours or live).get("apiVersion")
    return _Adopting(live=live, rules=rules, deployers=deployers, api_version=str(version))


def _split(
    adopting: _Adopting, managed_fields: Any
) -> tuple[list[tuple[Mapping[str, Any], Fields]], list[Mapping[str, Any]]]:
    """Return the entries to adopt, each with the claims that become ours, and the remaining entries."""
    adopted: list[tuple[Mapping[str, Any], Fields]] = []
    remaining: list[Mapping[str, Any]] = []
    for entry in entries(managed_fields):
        rest = adopting.not_adopted(entry) if adopting.concerns(entry) else fields_of(entry)
        freed = difference(fields_of(entry), rest)
        if not difference(freed, _MARKS):
            remaining.append(entry)
            continue
        adopted.append((entry, adopting.claims(entry, freed)))
        if rest:
            remaining.append({**entry, "fieldsV1": rest})
    return adopted, remaining


def last_applied_of(live: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the manifest in the annotation of `kubectl apply`; empty if there is no valid one."""
    text = find(live, _LAST_APPLIED_PATH)
    if not isinstance(text, str):
        return _NOTHING_KNOWN
    try:
        manifest = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):  # any client may write the annotation
        return _NOTHING_KNOWN
    return manifest if isinstance(manifest, dict) else _NOTHING_KNOWN


def _with_claims(
    remaining: list[Mapping[str, Any]],
    ours: Mapping[str, Any] | None,
    adopted: list[tuple[Mapping[str, Any], Fields]],
    *,
    api_version: str,
) -> list[Mapping[str, Any]]:
    """Return the new managedFields: our entry, extended or new, and the others."""
    fields = fields_of(ours)
    for _, claims in adopted:
        fields = union(fields, claims)
    others = [entry for entry in remaining if entry is not ours]
    if not fields:
        return others
    times = [str(entry["time"]) for entry, claims in adopted if claims and entry.get("time")]
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


def _last_applied_has_no_owner(live: Mapping[str, Any], remaining: list[Mapping[str, Any]]) -> bool:
    """Whether kubectl's annotation exists and no remaining manager claims it.

    Without managedFields it is the only record of what kubectl applied, and stays until that is adopted.
    """
    return (
        bool(managed_fields_of(live))
        and find(live, _LAST_APPLIED_PATH) is not None
        and all(node_at(fields_of(entry), _LAST_APPLIED_PATH) is None for entry in remaining)
    )


def _control_fields(fields: Fields) -> Fields:
    """Return the claims on annotations that control Nopea, and on status, which Git never sets."""
    control: dict[str, Any] = {}
    if "f:status" in fields:
        control["f:status"] = fields["f:status"]
    annotations = node_at(fields, ("f:metadata", "f:annotations"))
    if isinstance(annotations, dict):
        ours = {
            key: node
            for key, node in annotations.items()
            if key.startswith(f"f:{names.GROUP}/") and key != f"f:{names.SOURCE_ANNOTATION}"
        }
        if ours:
            control["f:metadata"] = {"f:annotations": ours}
    return control


def _within(fields: Fields, value: Any, depth: int = 0) -> Fields:
    """Return the part of a set whose fields exist in the value."""
    existing: dict[str, Any] = {}
    indexes = positions(value, fields) if isinstance(value, list) else {}
    for key, node in fields.items():
        if key == ".":
            existing[key] = node
            continue
        if isinstance(value, dict) and key[:2] == "f:":
            child = value.get(key[2:])
        else:
            child = value[indexes[key]] if key in indexes else None
        if child is None:
            continue
        if not isinstance(node, dict) or not node or depth >= MAX_DEPTH:
            existing[key] = node
        elif part := _within(node, child, depth + 1):
            existing[key] = part
    return existing or NO_FIELDS
