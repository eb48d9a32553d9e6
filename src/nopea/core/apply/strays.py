"""Refused fields that the manifest does not have: who set them, and how to remove one that is a default.

The API server refuses some defaults beside what Git declares: `rollingUpdate` beside `type: Recreate`.
Server-side apply removes only fields of ours, so the default is claimed before the manifest is applied again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from nopea.core.api import names
from nopea.core.apply.fieldset import NO_FIELDS, Fields, Path, entries, entry_of, fields_of, find, union
from nopea.core.apply.managers import owners_beside, owners_of
from nopea.core.apply.projection import managed_fields_of, our_entry

_TOKEN: Final = re.compile(r"\[([^\]]*)\]|([^.\[\]]+)")
_LEAST: Final = 2
"""A shorter part of a path, such as `spec`, has owners that say nothing about the field."""

Manifest = Mapping[str, Any]


def is_stray(field: str, manifest: Manifest) -> bool:
    """Return whether a manifest lacks the field that an error names, such as `spec.ports[0].port`."""
    value: Any = manifest
    for token in _tokens(field):
        if isinstance(value, Mapping):
            if token not in value:
                return True
            value = value[token]
        elif isinstance(value, list) and token.isdecimal():
            # the API server counts in its merged list, so the index may be another here
            value = value[int(token)] if int(token) < len(value) else None
        else:
            return False
    return False


def holder_of(field: str, live: Manifest) -> str | None:
    """Return the manager that set a field, empty for a default, None if nothing is known of the field."""
    path = tuple(f"f:{token}" for token in _tokens(field))
    known = path
    while known and find(live, known) is None:
        known = known[:-1]
    if not path or len(known) < min(_LEAST, len(path)):
        return None
    owners = owners_of(owners_beside(managed_fields_of(live), our_entry(live)), known)
    return next((owner.manager for owner in owners), "" if known == path else None)


def claim_defaults(fields: Iterable[str], *, manifest: Manifest, live: Manifest) -> bytes | None:
    """Return the JSON patch (RFC 6902) that makes all these fields ours, so that the next apply removes them.

    None unless each is a default beside something that the manifest declares, and nobody owns it. The patch
    changes nothing but `managedFields`, and the API server rejects it with 409 if the object has changed.
    """
    ours = entry_of(managed_fields_of(live), manager=names.FIELD_MANAGER)
    paths = [_default_of(field, manifest, live) for field in fields]
    if ours is None or not paths:
        return None
    claims: Fields = NO_FIELDS
    for path in paths:
        if path is None:
            return None
        claims = union(claims, _set_of(path))
    claimed = [
        {**entry, "fieldsV1": union(fields_of(entry), claims)} if entry is ours else entry
        for entry in entries(managed_fields_of(live))
    ]
    version = live["metadata"]["resourceVersion"]
    return msgspec.json.encode(
        [
            {"op": "replace", "path": "/metadata/managedFields", "value": claimed},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
        ]
    )


def _default_of(field: str, manifest: Manifest, live: Manifest) -> Path | None:
    """Return the path of a field if it is a default beside what the manifest declares."""
    path = tuple(f"f:{token}" for token in _tokens(field))
    beside = find(manifest, path[:-1])
    is_default = (
        len(path) > _LEAST
        and path[0] == "f:spec"
        and "[" not in field
        and isinstance(beside, Mapping)
        and bool(beside)
        and is_stray(field, manifest)
        and holder_of(field, live) == ""
    )
    return path if is_default else None


def _tokens(field: str) -> list[str]:
    return [key or name for key, name in _TOKEN.findall(field)]


def _set_of(path: Path) -> Fields:
    fields: Fields = NO_FIELDS
    for key in reversed(path):
        fields = {key: fields}
    return fields
