"""The body of one apply: what Git wants, less what is left to others in the live object. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nopea.core.driftrules import IgnoreRules, without_pointers
from nopea.core.fields import Fields, Path, entries, fields_of, node_at, without
from nopea.core.projection import managed_fields_of, our_entry

_ABSENT = object()


def body_to_apply(
    desired: Mapping[str, Any],
    live: Mapping[str, Any] | None,
    *,
    rules: IgnoreRules,
    keep: Iterable[Path] = (),
) -> dict[str, Any]:
    """Return the manifest to apply over `live` so that kept and ignored fields stay as they are.

    A field that is left to others and that somebody else owns is left out: leaving it out gives our claim up
    and changes nothing. One that nobody else owns is sent as it is live, because leaving it out would remove
    it. A new object gets everything: an ignored field starts as Git has it.
    """
    body = dict(desired)
    if live is None:
        return body
    body = without(body, _trie(keep))
    for entry in entries(managed_fields_of(live)):
        if rules.ignores_manager(entry.get("manager")):
            body = without(body, _without_identity(fields_of(entry)))
    for pointer in rules.pointers:
        body = _left(body, live, pointer)
    return body


def _trie(paths: Iterable[Path]) -> Fields:
    root: dict[str, Any] = {}
    for path in paths:
        node = root
        for key in path:
            node = node.setdefault(key, {})
    return root


def _without_identity(fields: Fields) -> Fields:
    return {key: child for key, child in fields.items() if key not in ("f:apiVersion", "f:kind")}


def _left(body: dict[str, Any], live: Mapping[str, Any], pointer: str) -> dict[str, Any]:
    tokens = [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]
    found: Any = live
    for token in tokens:
        found = _child(found, token)
    if found is _ABSENT or _is_owned_by_others(live, tokens):
        left: dict[str, Any] = without_pointers(body, [pointer])
        return left
    changed: dict[str, Any] = _with(body, tokens, found)
    return changed


def _child(value: Any, token: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(token, _ABSENT)
    if isinstance(value, list) and token.isdecimal() and int(token) < len(value):
        return value[int(token)]
    return _ABSENT


def _is_owned_by_others(live: Mapping[str, Any], tokens: list[str]) -> bool:
    path = tuple(f"f:{token}" for token in tokens)
    ours = our_entry(live)
    return any(
        entry is not ours and node_at(fields_of(entry), path) is not None
        for entry in entries(managed_fields_of(live))
    )


def _with(value: Any, tokens: list[str], leaf: Any) -> Any:
    """Return a copy with the leaf at the place, if the place exists in it; unchanged otherwise."""
    if not tokens:
        return leaf
    inner = _child(value, tokens[0])
    if inner is _ABSENT:
        return value
    changed = _with(inner, tokens[1:], leaf)
    if isinstance(value, list):
        return [changed if index == int(tokens[0]) else item for index, item in enumerate(value)]
    return {**value, tokens[0]: changed}
