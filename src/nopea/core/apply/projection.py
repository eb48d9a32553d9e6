"""Hash the fields that we own in a live object and those that people added, to detect drift.

Runs on every watch event, so it walks the field sets and builds nothing for messages. A new hash means that
something may have changed; `core/drift/find.py` finds what, and who changed it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from nopea.core.api import names
from nopea.core.apply.equality import MAP_FIELDS
from nopea.core.apply.fieldset import (
    MAX_DEPTH,
    Fields,
    difference,
    entries,
    entry_of,
    fields_of,
    find,
    leaves,
    union,
    without,
)
from nopea.core.apply.ignore_rules import (
    NO_RULES,
    PEOPLE,
    RESTARTS,
    IgnoreRules,
    fields_without,
    without_pointers,
)
from nopea.core.apply.list_items import positions
from nopea.core.secret import NO_KEY, Secret, keyed_hash

LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
"""kubectl's record of its last apply; the fields that it set are in its entry of managedFields."""

_CONTROL: Final = f"f:{names.GROUP}/"


def our_entry(live: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the Apply entry of Nopea's manager in a live object, or None."""
    return entry_of(managed_fields_of(live), manager=names.FIELD_MANAGER)


def managed_fields_of(live: Any) -> Any:
    """Return `metadata.managedFields`, or None for a malformed object."""
    metadata = live.get("metadata") if isinstance(live, Mapping) else None
    return metadata.get("managedFields") if isinstance(metadata, dict) else None


def projection_hash(
    live: Mapping[str, Any], *, rules: IgnoreRules = NO_RULES, key: Secret = NO_KEY
) -> str | None:
    """Hash the fields that we own and that people's tools added; None without an Apply entry of ours.

    Between two versions of an object with the same hash there is no drift. Another hash is drift unless
    `find_drift` returns no field: then an ignored manager owns one now, and the new hash is the baseline.
    Other fields, and the order of keys and of merged items, do not affect the hash. A hash that is stored
    needs a key: the object may be a Secret.
    """
    managed_fields = managed_fields_of(live)
    ours = entry_of(managed_fields, manager=names.FIELD_MANAGER)
    if ours is None:
        return None
    fields = fields_of(ours)
    foreign: Fields = {}
    for entry in entries(managed_fields):
        if entry is not ours and (below := _below(fields, fields_of(entry), 0)):
            foreign = union(foreign, below)
    value: Any = live
    if rules.pointers:
        value, fields = without_pointers(live, rules.pointers), fields_without(fields, live, rules.pointers)
    owned = _picture(without(value, foreign) if foreign else value, fields, 0) if fields else None
    added = {
        "\n".join(path): item
        for _, more in people_fields(managed_fields, fields, rules=rules)
        for path in leaves(more)
        if (item := find(value, path)) is not None
    }
    return keyed_hash(_canonical([owned, added] if added else [owned]), key)


def people_fields(
    managed_fields: Any, ours: Fields, *, rules: IgnoreRules
) -> Iterator[tuple[Mapping[str, Any], Fields]]:
    """Yield each entry of an interactive tool with the fields that it owns and we do not.

    Entries of ignored managers and of the status subresource are skipped, and so are the annotations and
    labels below `nopea.io/`, which control Nopea, `LAST_APPLIED` and `RESTARTS`.
    """
    for entry in entries(managed_fields):
        manager = entry.get("manager")
        if (
            PEOPLE.matches(manager)
            and (entry.get("subresource") or "") in ("", "scale")
            and not rules.ignores_manager(manager)
        ):
            added = _without_control(difference(difference(fields_of(entry), ours), RESTARTS))
            if added := _without_marks(added, 0):
                yield entry, added


def _without_control(fields: Fields) -> Fields:
    rest = {key: child for key, child in fields.items() if key != "f:status"}
    metadata = rest.get("f:metadata")
    if isinstance(metadata, dict):
        metadata = dict(metadata)
        for name in ("f:annotations", "f:labels"):
            if isinstance(texts := metadata.get(name), dict) and texts:
                metadata[name] = {
                    key: child
                    for key, child in texts.items()
                    if not key.startswith(_CONTROL) and key != f"f:{LAST_APPLIED}"
                } or {".": {}}
        rest["f:metadata"] = metadata
    return rest


def _without_marks(node: Fields, depth: int) -> Fields:
    """Drop nodes that are owned only as the parent of fields that others own."""
    if depth >= MAX_DEPTH:
        return node
    rest: dict[str, Any] = {}
    for key, child in node.items():
        if key == "." or not isinstance(child, dict) or not child:
            rest[key] = child
        elif (deeper := _without_marks(child, depth + 1)).keys() - {"."}:
            rest[key] = deeper
    return rest if rest.keys() - {"."} else {}


def _below(ours: Fields, theirs: Fields, depth: int) -> dict[str, Any]:
    """Return the fields that others own below a leaf of ours, such as our `annotations: {}`."""
    inside: dict[str, Any] = {}
    for key, child in ours.items():
        other = theirs.get(key)
        if not isinstance(other, dict) or not other or key == ".":
            continue
        if not child:
            inside[key] = {name: node for name, node in other.items() if name != "."}
        elif isinstance(child, dict) and depth < MAX_DEPTH and (deeper := _below(child, other, depth + 1)):
            inside[key] = deeper
    return {key: node for key, node in inside.items() if node}


def _picture(value: Any, node: Fields, depth: int) -> Any:
    """Return the fields of the set in its own structure; fields that the value lacks are null.

    An owned field that is absent counts: the API server omits many zeros that were applied.
    """
    if depth >= MAX_DEPTH or not isinstance(node, dict):
        return value
    picture: dict[str, Any] = {}
    if isinstance(value, list):
        indexes = positions(value, node)
        for key, child in node.items():
            item = value[indexes[key]] if key in indexes else None
            picture[key] = _picture(item, child, depth + 1) if child else item
    else:
        fields = value if isinstance(value, dict) else {}
        for key, child in node.items():
            if child:
                picture[key] = _picture(fields.get(key[2:]), child, depth + 1)
            elif key != ".":
                item = fields.get(key[2:])
                # in an atomic struct of ours, such as `strategy: {}`, only defaults can change
                is_struct = isinstance(item, dict) and key[2:] not in MAP_FIELDS
                picture[key] = {} if is_struct else item
    return picture


def _canonical(value: Any) -> bytes:
    """Return bytes that differ if the values do; the order of keys does not matter."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # deeper than 254 levels, or not from JSON
        return _flat(value)


def _flat(value: Any) -> bytes:
    """The same without recursion."""
    flat: list[str] = []
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        name, item = waiting.pop()
        if isinstance(item, dict):
            flat.append(f"{name!r}{{{len(item)}")
            waiting.extend(sorted(item.items(), key=lambda pair: str(pair[0])))
        elif isinstance(item, list):
            flat.append(f"{name!r}[{len(item)}")
            waiting.extend(("", member) for member in item)
        else:
            flat.append(f"{name!r}={item!r}")
    return "\n".join(flat).encode(errors="backslashreplace")
