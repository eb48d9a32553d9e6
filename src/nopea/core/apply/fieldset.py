"""Field sets in the format of `managedFields` (FieldsV1), and the parts of objects that they cover.

A set is a trie of plain mappings: `f:name` is a field, `k:{…}` an item of a merged list, `v:…` a member of a
set, `i:n` an index. A node with `.`, or without children, is itself in the set. Uses no schema, never decides
about drift, and never raises: paths of a set that do not exist in a value are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from nopea.core.apply.list_items import canonical_key, key_names, position, positions, render_key

Fields = Mapping[str, Any]
Path = tuple[str, ...]
"""The keys of the trie from the root to a node; empty is the object itself."""

MAX_DEPTH = 100
"""Deeper values are atomic; the deepest built-in kind has about thirty levels."""

NO_FIELDS: Final[Fields] = {}
_SELF = "."
_NOTHING: Final = object()


def entries(managed_fields: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the well-formed entries of `metadata.managedFields`."""
    if isinstance(managed_fields, list):
        for entry in managed_fields:
            if isinstance(entry, dict):
                yield entry


def entry_of(
    managed_fields: Any, *, manager: str, operation: str = "Apply", subresource: str = ""
) -> Mapping[str, Any] | None:
    """Return the manager's entry, or None; there is at most one Apply entry per manager and subresource."""
    for entry in entries(managed_fields):
        if (
            entry.get("manager") == manager
            and entry.get("operation") == operation
            and (entry.get("subresource") or "") == subresource
        ):
            return entry
    return None


def fields_of(entry: Mapping[str, Any] | None) -> Fields:
    """Return an entry's field set; empty for None and for anything that is not a set."""
    fields = entry.get("fieldsV1") if entry is not None else None
    return fields if isinstance(fields, dict) else NO_FIELDS


def is_member(node: Any) -> bool:
    """Whether the node itself is in the set, besides its children."""
    return not isinstance(node, dict) or not node or _SELF in node


def has_children(node: Any) -> bool:
    """Whether anything below the node is in the set."""
    return isinstance(node, dict) and any(key != _SELF for key in node)


def node_at(fields: Any, path: Path) -> Any | None:
    """Return the node at a path, or None if neither it nor anything below it is in the set."""
    for key in path:
        if (fields := child_at(fields, key)) is None:
            return None
    return fields


def child_at(node: Any, key: str) -> Any | None:
    """Return a child by its key, in any JSON notation of an item's key, or None."""
    if not isinstance(node, dict):
        return None
    child = node.get(key)
    if child is None and key[:2] in ("k:", "v:"):
        wanted = canonical_key(key)
        return next((child for name, child in node.items() if canonical_key(name) == wanted), None)
    return child


def touches(fields: Any, path: Path) -> bool:
    """Whether the set has the node at the path, one below it, or an atomic value above it."""
    for step, key in enumerate(path):
        if step and fields == NO_FIELDS:
            return True
        if (fields := child_at(fields, key)) is None:
            return False
    return True


def leaves(fields: Fields) -> Iterator[Path]:
    """Yield the paths of the set without children, in the order of the set."""
    if fields:
        yield from _leaves(fields, ())


def _leaves(node: Any, path: Path) -> Iterator[Path]:
    if not has_children(node) or len(path) >= MAX_DEPTH:
        yield path
        return
    for key, child in node.items():
        if key != _SELF:
            yield from _leaves(child, (*path, key))


def union(one: Fields, other: Fields) -> Fields:
    """Return the union of two sets; shares nodes with both."""
    if not one or not other:
        return one or other
    return _union(one, other, 0)


def _union(one: Any, other: Any, depth: int) -> dict[str, Any]:
    if depth >= MAX_DEPTH:
        return _as_node(one)
    both = dict(_as_node(one))
    for key, child in _as_node(other).items():
        mine = both.get(key)
        both[key] = child if mine is None else _union(mine, child, depth + 1)
    if depth and is_member(one) != is_member(other) and (both.keys() - {_SELF}):
        both[_SELF] = {}
    return both


def _as_node(node: Any) -> dict[str, Any]:
    return node if isinstance(node, dict) else {}


def difference(one: Fields, other: Fields) -> Fields:
    """Return the set of the paths that are in `one` and not in `other`; shares nodes with `one`.

    Exact, as the API server subtracts: owning `strategy: {}` is not owning `strategy.type`.
    """
    return _difference(one, other, 0) if one and other else one


def _difference(one: Fields, other: Fields, depth: int) -> dict[str, Any]:
    rest: dict[str, Any] = {}
    for key, child in one.items():
        theirs = other.get(key)
        if key == _SELF:
            if not is_member(other):
                rest[key] = child
        elif theirs is None or depth >= MAX_DEPTH:
            rest[key] = child
        elif not isinstance(child, dict) or not child:
            if not is_member(theirs):
                rest[key] = child
        elif left := _difference(child, _as_node(theirs), depth + 1):
            rest[key] = left
    return rest


def project(value: Any, fields: Fields) -> Any:
    """Return the part of a value that the set covers; leaves are complete, lists keep their order.

    Items of merged lists keep their keys, owned or not, and indexes keep their places (with nulls before
    them), so that projecting twice gives the same. If nothing is covered, the result is empty, or None for a
    scalar.
    """
    covered = _project(value, fields, 0) if fields else _NOTHING
    if covered is not _NOTHING:
        return covered
    return {} if isinstance(value, dict) else [] if isinstance(value, list) else None


def _project(value: Any, node: Any, depth: int) -> Any:
    if not node or not isinstance(node, dict) or depth >= MAX_DEPTH:
        return value
    if isinstance(value, dict):
        part = {
            key[2:]: covered
            for key, child in node.items()
            if key[:2] == "f:"
            and key[2:] in value
            and (covered := _project(value[key[2:]], child, depth + 1)) is not _NOTHING
        }
        return part if part or _SELF in node else _NOTHING
    if isinstance(value, list):
        items = _project_items(value, node, depth)
        return items if items or _SELF in node else _NOTHING
    return value if _SELF in node else _NOTHING


def _project_items(items: list[Any], node: Fields, depth: int) -> list[Any]:
    covered: dict[int, Any] = {}
    for key, index in positions(items, node).items():
        if index not in covered:
            covered[index] = _project_item(items[index], key, node[key], depth)
    if not any(key[:2] == "i:" for key in node):
        return [covered[index] for index in sorted(covered)]
    return [covered.get(index) for index in range(max(covered) + 1)] if covered else []


def _project_item(item: Any, key: str, node: Any, depth: int) -> Any:
    if key[:2] == "v:":
        return item  # the value is the key, so it has no parts
    part = _project(item, node, depth + 1)
    if key[:2] != "k:":
        return None if part is _NOTHING else part
    keys = {name: item[name] for name in key_names(key) if name in item}
    return {**keys, **part} if isinstance(part, dict) else keys


def without(value: Any, fields: Fields) -> Any:
    """Return the value without what the set covers; changed parts are copied, the rest is shared."""
    return _without(value, fields, 0) if fields else value


def _without(value: Any, node: Fields, depth: int) -> Any:
    if depth >= MAX_DEPTH:
        return value
    if isinstance(value, dict):
        copy = dict(value)
        for key, child in node.items():
            name = key[2:]
            if key[:2] != "f:" or name not in copy:
                continue
            if has_children(child):
                copy[name] = _without(copy[name], child, depth + 1)
            else:
                del copy[name]
        return copy
    if isinstance(value, list):
        changed: dict[int, Any] = {}
        for key, index in positions(value, node).items():
            whole = is_member(node[key])
            changed[index] = _NOTHING if whole else _without(value[index], node[key], depth + 1)
        items = (changed.get(index, item) for index, item in enumerate(value))
        return [item for item in items if item is not _NOTHING]
    return value


def find(value: Any, path: Path) -> Any:
    """Return the value at a path; None if it is absent or null, which are the same to Kubernetes."""
    for key in path:
        if isinstance(value, dict) and key[:2] == "f:":
            value = value.get(key[2:])
        elif isinstance(value, list):
            index = position(value, key)
            value = None if index is None else value[index]
        else:
            return None
    return value


def render_path(path: Path) -> str:
    """Format a path as the API server does: `.spec.template.spec.containers[name="web"].image`."""
    return "".join(map(render_key, path)) or "."
