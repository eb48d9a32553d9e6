"""What a sync makes of one object: before and after, as they may be shown. For commands.

Pure. Decides nothing: `core/apply/body.py` says what is applied, `core/apply/leftovers.py` what an adoption
removes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from nopea.core.api import names
from nopea.core.apply.fieldset import Path, find, without
from nopea.core.apply.list_items import position
from nopea.core.apply.managers import UNKNOWN, owners_beside, owners_of
from nopea.core.apply.projection import LAST_APPLIED, managed_fields_of, our_entry
from nopea.core.drift.mask import mask_change, without_guesses
from nopea.core.drift.three_way import three_way_diff

Manifest = Mapping[str, Any]

_OF_THE_SERVER: Final = (
    "managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink"
)  # fmt: skip
_MARKS: Final = (
    ("labels", (names.REPOSITORY_LABEL,)),
    ("annotations", (names.SOURCE_ANNOTATION, LAST_APPLIED)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An object before and after a sync, without what the API server and Nopea note; secrets are masked.

    `before` is None for an object that is created.
    """

    before: Manifest | None
    after: Manifest

    @property
    def is_visible(self) -> bool:
        """True when the two differ."""
        return self.before != self.after

    def for_public(self) -> Change:
        """Return the change for people who may not read the object."""
        before, after = without_guesses(self.before, self.after)
        return Change(before=before, after=after)


def change_of(before: Manifest | None, after: Manifest) -> Change:
    """Return the change from one version of an object to another, ready to be shown."""
    old = None if before is None else _plain(before)
    masked_before, masked_after = mask_change(old, _plain(after))
    return Change(before=masked_before, after=masked_after)


def without_paths(manifest: Manifest, paths: Iterable[Path]) -> Manifest:
    """Return the object without the fields at these paths."""
    for path in paths:
        if path:
            manifest = without(manifest, _set_of(path))
    return manifest


def predicted(
    live: Manifest, body: Manifest, *, desired: Manifest, last: Manifest | None, gone: Iterable[Path] = ()
) -> Manifest:
    """Return the live object after an apply of `body`, without asking the API server.

    `desired` is what Git declares, of which `body` may leave out fields that stay; `last` is what was applied
    before, and `gone` what an adoption removes. Defaults and admission are not known here.
    """
    after: Any = live
    for change in three_way_diff(body, body, live).changes:
        after = _with(after, change.keys, change.desired)
    dropped: list[Path] = []
    if last is not None:
        others = owners_beside(managed_fields_of(live), our_entry(live))
        dropped = [
            change.keys
            for change in three_way_diff(last, desired, live).changes
            if change.desired is None
            and find(live, change.keys) is not None
            and next(owners_of(others, change.keys), UNKNOWN) is UNKNOWN
        ]
    result: Manifest = without_paths(after, (*dropped, *gone))
    return result


def _plain(manifest: Manifest) -> dict[str, Any]:
    metadata = {
        name: value for name, value in (manifest.get("metadata") or {}).items() if name not in _OF_THE_SERVER
    }
    for field, ours in _MARKS:
        held = metadata.get(field)
        if not isinstance(held, Mapping):
            continue
        rest = {name: value for name, value in held.items() if name not in ours}
        if rest or not held:
            metadata[field] = rest
        else:
            del metadata[field]
    return {name: value for name, value in manifest.items() if name != "status"} | {"metadata": metadata}


def _set_of(path: Path) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for key in reversed(path):
        fields = {key: fields}
    return fields


def _with(value: Any, path: Path, leaf: Any) -> Any:
    """Return a copy with the leaf at this path; a new item of a list comes last."""
    if not path:
        return leaf
    key, *rest = path
    if key[:2] == "f:":
        fields = dict(value) if isinstance(value, Mapping) else {}
        fields[key[2:]] = _with(fields.get(key[2:]), tuple(rest), leaf)
        return fields
    items = list(value) if isinstance(value, list) else []
    index = position(items, key)
    if index is None:
        return [*items, _with(None, tuple(rest), leaf)]
    items[index] = _with(items[index], tuple(rest), leaf)
    return items
