"""Normalize an object to the form that is applied, compared and hashed. Never changes its meaning.

Fields that only the server or its controllers set are dropped, nulls are dropped because server-side apply
reads them as absent, and a Secret's `stringData` becomes `data`.
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
    """Return a copy without status, server-set metadata and nulls; idempotent, shares nothing mutable.

    A null inside a list stays: dropping it would move the items after it. A Secret's `stringData` wins over
    `data`, as in the API server; values in it that are not strings stay, and the server rejects them.
    """
    value = {key: item for key, item in _without_nulls(raw_object).items() if key != "status"}
    metadata = value.get("metadata")
    if isinstance(metadata, dict):
        value["metadata"] = {key: item for key, item in metadata.items() if key not in _SERVER_METADATA}
    if value.get("kind") == "Secret" and value.get("apiVersion") == "v1":
        _encode_string_data(value)
    drop_managed(value)
    return value


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _encode_string_data(secret: dict[str, Any]) -> None:
    """Move `stringData` to `data`: it is write-only, so a key removed from it would stay in `data`."""
    strings = secret.get("stringData")
    data = secret.get("data", {})
    if not isinstance(strings, dict) or not isinstance(data, dict):
        return
    encoded = {key: _base64(text) for key, text in strings.items() if isinstance(text, str)}
    others = {key: text for key, text in strings.items() if not isinstance(text, str)}
    secret.pop("stringData")
    if others:
        secret["stringData"] = others
    if data or encoded:
        secret["data"] = data | encoded


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
