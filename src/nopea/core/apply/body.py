"""Build the body of one apply: the desired manifest without the fields to ignore in the live object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nopea.core.api import names
from nopea.core.apply.fieldset import (
    NO_FIELDS,
    Fields,
    Path,
    difference,
    entries,
    fields_of,
    find,
    has_children,
    node_at,
    project,
    union,
    without,
)
from nopea.core.apply.ignore_rules import IgnoreRules, without_pointers
from nopea.core.apply.projection import managed_fields_of, our_entry

_ABSENT = object()


def body_to_apply(
    desired: Mapping[str, Any],
    live: Mapping[str, Any] | None,
    *,
    rules: IgnoreRules,
    keep: Iterable[Path] = (),
) -> dict[str, Any]:
    """Return the manifest to apply over `live` so that fields in `keep` and ignored fields do not change.

    An ignored field that another manager owns is omitted: that gives up our claim and changes nothing. One
    that nobody else owns is sent with its live value, because omitting it would remove it. A new object gets
    all fields: an ignored field starts with the value in Git. The ownership label is always included.
    """
    body = dict(desired)
    if live is None:
        return body
    body = _without_paths(body, tuple(keep))
    for entry in entries(managed_fields_of(live)):
        if rules.ignores_manager(entry.get("manager")):
            body = without(body, _without_identity(fields_of(entry)))
    for pointer in rules.pointers:
        body = _ignored(body, live, pointer)
    return _labelled(body, desired)


NO_VERSION = "1"
"""A version that no object has: etcd's first revision is that of an empty store."""


def at_version(body: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Return a manifest whose apply fails (409) unless the object has this version or does not exist.

    With `NO_VERSION` the apply creates the object, and fails if there is one.
    """
    return {**body, "metadata": {**body["metadata"], "resourceVersion": version}}


def _without_paths(body: dict[str, Any], keep: Sequence[Path]) -> dict[str, Any]:
    """Remove fields and parents that become empty: an empty map would claim everything in it."""
    rest: dict[str, Any] = without(body, _trie(keep))
    for path in keep:
        parent = path[:-1]
        while parent and find(rest, parent) in ({}, []):
            rest = without(rest, _trie([parent]))
            parent = parent[:-1]
    return rest


def _trie(paths: Iterable[Path]) -> Fields:
    root: dict[str, Any] = {}
    for path in paths:
        node = root
        for key in path:
            node = node.setdefault(key, {})
    return root


def _without_identity(fields: Fields) -> Fields:
    return {key: child for key, child in fields.items() if key not in ("f:apiVersion", "f:kind")}


def _ignored(body: dict[str, Any], live: Mapping[str, Any], pointer: str) -> dict[str, Any]:
    tokens = [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]
    live_value = _at(live, tokens)
    changed: dict[str, Any]
    if _is_in_list(body, tokens) or _is_in_list(live, tokens):  # field sets have no indexes
        changed = body if _ABSENT in (live_value, _at(body, tokens)) else _with(body, tokens, live_value)
        return changed
    changed = without_pointers(body, [pointer])
    node = node_at(_ours_alone(live), tuple(f"f:{token}" for token in tokens))
    if node is None or live_value is _ABSENT:
        return changed
    changed = _with(changed, tokens, project(live_value, node) if has_children(node) else live_value)
    return changed


def _at(value: Any, tokens: list[str]) -> Any:
    for token in tokens:
        value = _child(value, token)
    return value


def _child(value: Any, token: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(token, _ABSENT)
    if isinstance(value, list) and token.isascii() and token.isdecimal() and int(token) < len(value):
        return value[int(token)]
    return _ABSENT


def _is_in_list(value: Any, tokens: list[str]) -> bool:
    return any(isinstance(_at(value, tokens[:length]), list) for length in range(len(tokens)))


def _ours_alone(live: Mapping[str, Any]) -> Fields:
    ours = our_entry(live)
    others: Fields = NO_FIELDS
    for entry in entries(managed_fields_of(live)):
        if entry is not ours:
            others = union(others, fields_of(entry))
    return difference(fields_of(ours), others)


def _with(value: Any, tokens: list[str], leaf: Any) -> Any:
    """Return a copy with the leaf at this path; missing mappings are created, missing list items are not."""
    if not tokens:
        return leaf
    inner = _child(value, tokens[0])
    if isinstance(value, list):
        if inner is _ABSENT:
            return value
        changed = _with(inner, tokens[1:], leaf)
        return [changed if index == int(tokens[0]) else item for index, item in enumerate(value)]
    inner = {} if inner is _ABSENT else inner
    return {**value, tokens[0]: _with(inner, tokens[1:], leaf)} if isinstance(value, Mapping) else value


def _labelled(body: dict[str, Any], desired: Mapping[str, Any]) -> dict[str, Any]:
    tokens = ["metadata", "labels", names.REPOSITORY_LABEL]
    label = _at(desired, tokens)
    labelled: dict[str, Any] = body if label is _ABSENT else _with(body, tokens, label)
    return labelled
