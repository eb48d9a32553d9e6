"""Normalize an object to the form that is applied, compared and hashed. Never changes its meaning.

Fields that only the server or its controllers set are dropped, and a Secret's `stringData` becomes `data`.
Nulls stay: what server-side apply makes of one depends on the kind. A nullable field of a custom resource
stores it, and so overrides a default; in a built-in kind the field gets its default or, in a map of strings,
is empty.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from nopea.core.manifests.api_managed import drop_managed

_SERVER_METADATA = frozenset(
    (
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "generation",
        "managedFields",
        "resourceVersion",
        "selfLink",
        "uid",
    )
)


def normalize(raw_object: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy without status and server-set metadata; idempotent, shares its fields.

    A Secret's `stringData` wins over `data`, as in the API server; values in it that are neither strings nor
    null stay, and the server rejects them.
    """
    value = {key: item for key, item in raw_object.items() if key != "status"}
    metadata = value.get("metadata")
    if isinstance(metadata, dict):
        value["metadata"] = {key: item for key, item in metadata.items() if key not in _SERVER_METADATA}
    if value.get("kind") == "Secret" and value.get("apiVersion") == "v1":
        _encode_string_data(value)
    drop_managed(value)
    return value


def _encode_string_data(secret: dict[str, Any]) -> None:
    """Move `stringData` to `data`: it is write-only, so a key removed from it would stay in `data`."""
    strings = {} if secret.get("stringData") is None else secret["stringData"]
    data = {} if secret.get("data") is None else secret["data"]
    if not isinstance(strings, dict) or not isinstance(data, dict):
        return
    encoded = {key: _base64(text or "") for key, text in strings.items() if isinstance(text, str | None)}
    others = {key: text for key, text in strings.items() if not isinstance(text, str | None)}
    secret.pop("stringData", None)
    if others:
        secret["stringData"] = others
    if data or encoded:
        secret["data"] = data | encoded


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
