"""Name the items of a list in a path, and find the named items.

`k:{"name":"web"}` is an item of a merged list, by its keys; `v:"x"` a member of a set; `i:0` an index. Never
raises: a malformed item or key matches nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import orjson

KEY_DEFAULTS: Final[Mapping[str, Any]] = {"protocol": "TCP"}
"""Defaults that the API server sets for keys of merged lists before it looks for the item."""

_UNREADABLE: Final = object()


def positions(items: list[Any], node: Mapping[str, Any]) -> dict[str, int]:
    """Return the indexes of the items that the node names; unknown ones are omitted."""
    indexes: dict[str, int] = {}
    by_names: dict[tuple[str, ...], dict[Any, int]] = {}
    members: dict[Any, int] | None = None
    for key in node:
        kind = key[:2]
        if kind == "k:":
            names, values = _parse_key(key)
            if names not in by_names:
                by_names[names] = _by_keys(items, names)
            index = by_names[names].get(values)
        elif kind == "v:":
            if members is None:
                members = _by_member(items)
            member = _parse_value(key)
            index = None if member is None else members.get(_frozen(member))  # null is absent, not a member
        elif kind == "i:" and key[2:].isdecimal() and len(key) < 12:
            index = int(key[2:]) if int(key[2:]) < len(items) else None
        else:
            continue
        if index is not None:
            indexes[key] = index
    return indexes


def position(items: list[Any], key: str) -> int | None:
    """Return the index of the item that the key names, or None."""
    return positions(items, {key: None}).get(key)


def _by_keys(items: list[Any], names: tuple[str, ...]) -> dict[Any, int]:
    where: dict[Any, int] = {}
    if names:
        for index, item in enumerate(items):
            if isinstance(item, dict):
                where.setdefault(_key_values(item, names), index)
    return where


def _by_member(items: list[Any]) -> dict[Any, int]:
    where: dict[Any, int] = {}
    for index, item in enumerate(items):
        where.setdefault(_frozen(item), index)
    return where


def _key_values(item: Mapping[str, Any], names: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple([_frozen(item.get(name, KEY_DEFAULTS.get(name))) for name in names])


def _frozen(value: Any) -> Any:
    """Return a hashable that is equal to another only if the values are; a boolean is not a number."""
    kind = type(value)
    if kind is str or kind is int or kind is float:
        return value
    try:
        return (kind.__name__, repr(value))
    except RecursionError:  # deeper than any real object
        return (kind.__name__, id(value))


@lru_cache(maxsize=8192)
def _parse_key(key: str) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """Split `k:{"name":"web"}` into names and values; both are empty for any other key."""
    keys = _parse_value(key)
    if not isinstance(keys, dict):
        return (), ()
    return tuple(keys), tuple([_frozen(value) for value in keys.values()])


def _parse_value(key: str) -> Any:
    try:
        return orjson.loads(key[2:])
    except orjson.JSONDecodeError:
        return _UNREADABLE


def key_value(key: str) -> Any:
    """Return the value in a path element of a list: `{"name": "web"}`, or a member; None for any other."""
    value = _parse_value(key) if key[:2] in ("k:", "v:") else None
    return None if value is _UNREADABLE else value


def key_names(key: str) -> tuple[str, ...]:
    """Return the names in a key of a merged list: `("containerPort", "protocol")`."""
    return _parse_key(key)[0]


@lru_cache(maxsize=8192)
def canonical_key(key: str) -> str:
    """Return the path element in the notation of `item_key` and `member_key`."""
    if key[:2] not in ("k:", "v:") or (value := _parse_value(key)) is _UNREADABLE:
        return key
    if key[:2] == "v:":
        return member_key(value)
    return "k:" + _text({name: value[name] for name in sorted(value)}) if isinstance(value, dict) else key


def item_key(item: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    """Return the path element of an item of a merged list; None if it lacks a key without a default."""
    keys = {name: item.get(name, KEY_DEFAULTS.get(name)) for name in sorted(names)}
    return None if None in keys.values() else "k:" + _text(keys)


def member_key(member: Any) -> str:
    """Return the path element of a set's member."""
    return "v:" + _text(member)


def _text(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # deeper or bigger than the JSON writer accepts
        return repr(value)


def render_key(key: str) -> str:
    """Format one element of a path as the API server does: `.image`, `[name="web"]`, `[="x"]`, `[0]`."""
    kind, rest = key[:2], key[2:]
    if kind == "f:":
        return f".{rest}" if rest.isprintable() else f".{_text(rest)}"
    if kind == "k:" and isinstance(keys := _parse_value(key), dict):
        return "[" + ",".join(f"{name}={_text(keys[name])}" for name in sorted(keys)) + "]"
    return f"[={rest}]" if kind == "v:" else f"[{rest}]"
