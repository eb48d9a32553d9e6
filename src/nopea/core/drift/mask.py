"""Mask and shorten values of objects before anybody sees them.

Every output (status, Event, log, command) shows the fields of objects through this module; what leaves the
cluster has no values at all. Values that the API server quotes in an error about a Secret are removed in
`kube/errors.py`. `guess.py` decides what looks like a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from nopea.core.apply.fieldset import Path
from nopea.core.apply.projection import LAST_APPLIED
from nopea.core.drift.guess import without_secrets
from nopea.core.objects import SECRET, ObjectKey
from nopea.core.secret import MASK, Secret, mask_text

_SECRET_FIELDS: Final = ("data", "stringData")
_COPY: Final = ("f:metadata", "f:annotations", f"f:{LAST_APPLIED}")
_ABSENT: Final = "(none)"
_LONGEST_TEXT: Final = 16 * 1024
"""Of one text in a difference: a file in a ConfigMap."""


def mask_object(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the object with the values of a v1 Secret masked; the keys stay.

    The copy of the object in kubectl's annotation is masked too. Everything else is shared with the argument.
    """
    shown = dict(manifest)
    if manifest.get("kind") != "Secret" or manifest.get("apiVersion") != "v1":
        return shown
    for field in _SECRET_FIELDS:
        if field in shown:
            shown[field] = _masked_values(shown[field])
    metadata = shown.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    if isinstance(metadata, dict) and isinstance(annotations, dict) and LAST_APPLIED in annotations:
        copy = {**annotations, LAST_APPLIED: MASK}
        shown["metadata"] = {**metadata, "annotations": copy}
    return shown


def mask_change(
    before: Mapping[str, Any] | None, after: Mapping[str, Any]
) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Return two versions of an object with the values of a v1 Secret masked; a changed one still differs."""
    if before is None:
        return None, _without_copies(mask_object(after))
    shown = _without_copies(mask_object(before)), _without_copies(mask_object(after))
    if shown[1].get("kind") != "Secret" or shown[1].get("apiVersion") != "v1":
        return shown
    for field in _SECRET_FIELDS:
        old, new = before.get(field), after.get(field)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            changed = [name for name in old if name in new and old[name] != new[name]]
            for manifest, mark in zip(shown, ("before", "after"), strict=True):
                manifest[field] |= dict.fromkeys(changed, f"{MASK} ({mark})")
    return shown


def without_guesses(
    before: Mapping[str, Any] | None, after: Mapping[str, Any]
) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Return two versions of an object for people who may not read it; a changed value still differs.

    What looks like a secret is masked in all kinds: a variable may have been replaced in a ConfigMap.
    """
    shown = without_secrets(after, (), longest=_LONGEST_TEXT)
    if before is None:
        return None, shown
    return _told_apart(before, after, without_secrets(before, (), longest=_LONGEST_TEXT), shown)


def _told_apart(old: Any, new: Any, shown_old: Any, shown_new: Any) -> tuple[Any, Any]:
    """Mark the values that differ and look the same when they are masked."""
    if isinstance(shown_old, dict) and isinstance(shown_new, dict):
        both = {
            name: _told_apart(old[name], new[name], shown_old[name], shown_new[name])
            for name in shown_old.keys() & shown_new.keys()
        }
        return (
            {name: both[name][0] if name in both else value for name, value in shown_old.items()},
            {name: both[name][1] if name in both else value for name, value in shown_new.items()},
        )
    if isinstance(shown_old, list) and isinstance(shown_new, list) and len(old) == len(new):
        pairs = [_told_apart(*each) for each in zip(old, new, shown_old, shown_new, strict=True)]
        return [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    if old != new and shown_old == shown_new:
        return f"{MASK} (before)", f"{MASK} (after)"
    return shown_old, shown_new


def _without_copies(manifest: dict[str, Any]) -> dict[str, Any]:
    """Mask what looks like a secret in the metadata of a Secret: other tools copy its data there."""
    if manifest.get("kind") != "Secret" or manifest.get("apiVersion") != "v1":
        return manifest
    return {**manifest, "metadata": without_secrets(manifest.get("metadata"), ("f:metadata",))}


def is_secret(key: ObjectKey, path: Path) -> bool:
    """Whether the value at this path, or a part of it, must not be shown."""
    if key.group_kind != SECRET:
        return False
    hidden: tuple[Path, ...] = (("f:data",), ("f:stringData",), _COPY)
    return any(path[: len(place)] == place or place[: len(path)] == path for place in hidden)


def show_field(value: Any, *, key: ObjectKey, path: Path, limit: int = 256, guess: bool = True) -> str:
    """Return a field of an object as `show` does, masked if needed; an empty path is the object.

    With `guess`, what looks like a secret is masked too: the status and Events have more readers than the
    object.
    """
    if not path and isinstance(value, Mapping):
        value = mask_object(value)
    elif is_secret(key, path):
        return show(value, secret=True, limit=limit)
    guesses = guess or key.group_kind == SECRET  # other tools copy a Secret's data into its annotations
    return show(without_secrets(value, path) if guesses else value, secret=False, limit=limit)


def show(value: Any, *, secret: bool, limit: int = 256) -> str:
    """Return a value as one line of at most `limit` characters: a string as it is, anything else as JSON.

    None, which means absent, is `(none)`. With `secret`, the value, or each value of a mapping, is replaced
    with a mask. Characters that could control a terminal are escaped.
    """
    if value is None:
        return _ABSENT
    if secret:
        value = _masked_values(value)
    text = value if isinstance(value, str) else _json(value)
    text = "".join(
        character if character.isprintable() else _escaped(character) for character in text[: limit + 1]
    )
    return text if len(text) <= limit else f"{text[: max(limit - 1, 0)]}…"


def plain_line(text: str, *secrets: Secret, limit: int = 1024) -> str:
    """Return a string as one line that may leave the cluster, for all notifications.

    Removes the given secrets, the userinfo and queries of URLs, and characters that are not printable;
    collapses white space; cuts to `limit` characters.
    """
    text = mask_text(text, *secrets)  # before newlines are removed: a key may contain some
    text = "".join(" " if char.isspace() else char for char in text if char.isprintable() or char.isspace())
    text = mask_text(" ".join(text.split()), *secrets)
    return text if len(text) <= limit else f"{text[: max(limit - 1, 0)]}…"


def mask_texts(value: Any, *secrets: Secret, names: frozenset[str] = frozenset()) -> Any:
    """Return JSON-like data that may leave the cluster: strings are masked and keep their line breaks.

    Values of the keys in `names` are identifiers and stay as they are.
    """
    if isinstance(value, str):
        return mask_text(value, *secrets)
    if isinstance(value, Mapping):
        return {
            key: item if key in names else mask_texts(item, *secrets, names=names)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [mask_texts(item, *secrets, names=names) for item in value]
    return value


def _masked_values(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: None if item is None else MASK for key, item in value.items()}
    return None if value is None else MASK


def _json(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # deeper or bigger than the JSON writer accepts
        return "(nested too deeply to show)"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
