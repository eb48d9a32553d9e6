"""What a write changed in an object: the paths of the leaves, and a hash of each value. Never a value.

Items of a list are named by their field `name`; a list whose items have none is one leaf. That needs no
schema, and both sides of each comparison are read in the same way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from nopea.core.apply.fieldset import MAX_DEPTH, Path
from nopea.core.apply.list_items import key_value, position
from nopea.core.secret import Secret

MOST_CHANGES: Final = 256
"""The most leaves that are kept of one write."""

ABSENT: Final = b""
"""The hash of a leaf that is not there."""

Changes = Mapping[Path, bytes]

_OF_THE_SERVER: Final = frozenset(
    ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink")
)
_NOTHING: Final = object()


def changes_of(old: Mapping[str, Any], new: Mapping[str, Any], *, key: Secret) -> dict[Path, bytes] | None:
    """Return what differs between two versions of an object, besides its status; None if it is too much.

    `key` is the key of the hashes, so that nobody can check guesses of a value.
    """
    found: dict[Path, bytes] = {}
    for path, value in _differences(_of_users(old), _of_users(new), ()):
        found[path] = ABSENT if value is _NOTHING else _hash(value, key)
        if len(found) > MOST_CHANGES:
            return None
    return found


def explains(changes: Changes, live: Any, keys: Path, *, key: Secret) -> bool | None:
    """Return whether a write left the value at a path of field sets as it is; None if it did not touch it."""
    path, value = _place_of(live, keys)
    touched = {each: left for each, left in changes.items() if each[: len(path)] == path}
    if not touched:
        return None
    leaves = () if value is None else _leaves(value, path)
    there = {each: _hash(leaf, key) for each, leaf in leaves}
    return all(left == there.get(each, ABSENT) for each, left in touched.items())


def _of_users(manifest: Mapping[str, Any]) -> dict[str, Any]:
    metadata = manifest.get("metadata")
    rest = {name: value for name, value in manifest.items() if name not in ("status", "apiVersion", "kind")}
    if isinstance(metadata, Mapping):
        rest["metadata"] = {name: value for name, value in metadata.items() if name not in _OF_THE_SERVER}
    return rest


def _differences(old: Any, new: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Yield the leaves that are gone, with `_NOTHING`, and then those that are new or changed."""
    if old == new:
        return
    before, after = _parts(old, path), _parts(new, path)
    if before is not None and after is not None:
        for name in {**before, **after}:
            yield from _differences(before.get(name, _NOTHING), after.get(name, _NOTHING), (*path, name))
        return
    if old is not _NOTHING:
        yield from ((gone, _NOTHING) for gone, _ in _leaves(old, path))
    if new is not _NOTHING:
        yield from _leaves(new, path)


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    parts = _parts(value, path)
    if not parts:
        yield path, value
        return
    for name, part in parts.items():
        yield from _leaves(part, (*path, name))


def _parts(value: Any, path: Path) -> dict[str, Any] | None:
    """Return the fields of a mapping, or the items of a list that have names; None for a leaf."""
    if len(path) >= MAX_DEPTH:
        return None
    if isinstance(value, Mapping):
        return {f"f:{name}": field for name, field in value.items() if field is not None}
    if not isinstance(value, list):
        return None
    named = {f"n:{name}": item for item in value if (name := _name_of(item)) is not None}
    return named if value and len(named) == len(value) else None


def _name_of(item: Any) -> str | None:
    name = item.get("name") if isinstance(item, Mapping) else None
    return name if isinstance(name, str) else None


def _place_of(live: Any, keys: Path) -> tuple[Path, Any]:
    """Return the path of these changes for a path of field sets, and the live value there (None: absent).

    Where an item cannot be named, they are those of the list.
    """
    path: Path = ()
    value = live
    for key in keys:
        if key[:2] == "f:":
            value = value.get(key[2:]) if isinstance(value, Mapping) else None
            path = (*path, key)
            continue
        if isinstance(value, list) and _parts(value, path) is None:
            return path, value
        index = position(value, key) if isinstance(value, list) else None
        item = value[index] if index is not None else None
        name = _name_of(item if item is not None else key_value(key))
        if name is None:
            return path, value
        path, value = (*path, f"n:{name}"), item
    return path, value


def _hash(value: Any, key: Secret) -> bytes:
    try:
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # a number that the JSON writer does not accept
        text = repr(value).encode()
    return hashlib.blake2b(text, key=key.reveal(), digest_size=12).digest()
