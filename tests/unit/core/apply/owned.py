"""Live objects for tests, with the `managedFields` that an API server would store."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st

from nopea.core.apply.fieldset import Fields, Path
from nopea.core.apply.merge_keys import by_path_element, keys_of_list

TIME = "2026-03-04T05:06:07Z"
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "1", "1.0", "2000m", "2", "x", "=", "a b", "ä", "\ud800", "\x1b[0m"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["name", "containers", "spec", "metadata", "finalizers", "limits", "data", "a", "", "b/c~d"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
_FIELDS = ("", "a", "containers", "data", "finalizers", "limits", "metadata", "name", "spec")
_ITEMS = ('k:{"name":"x"}', 'k:{"name":""}', "k:{}", "k:[", "k:1", 'k:{"name":null,"a":1}')
_VALUES = ('v:"x"', "v:1", "v:null", "v:[]", "v:")
_INDEXES = ("i:0", "i:2", "i:x", f"i:{'9' * 20}")
_OTHERS = (".", "", "x")
_KINDS_OF_KEYS = ([f"f:{name}" for name in _FIELDS], _ITEMS, _VALUES, _INDEXES)
TRIE_KEYS = st.sampled_from([key for keys in (*_KINDS_OF_KEYS, _OTHERS) for key in keys])
TRIES: st.SearchStrategy[Any] = st.recursive(  # as in managedFields: a list is of one kind
    st.just({}),
    lambda inner: st.sampled_from(_KINDS_OF_KEYS).flatmap(
        lambda keys: st.dictionaries(st.sampled_from([*keys, *_OTHERS]), inner, max_size=5)
    ),
    max_leaves=20,
)
HOSTILE_TRIES: st.SearchStrategy[Any] = st.recursive(
    st.just({}) | JSON, lambda inner: st.dictionaries(TRIE_KEYS, inner, max_size=4), max_leaves=10
)


def deployment() -> dict[str, Any]:
    """Return the Deployment in Git."""
    container = {
        "name": "web",
        "image": "web:1",
        "args": ["--fast", "--quiet"],
        "ports": [{"containerPort": 80}, {"containerPort": 53, "protocol": "UDP"}],
        "env": [{"name": "MODE", "value": "on"}, {"name": "COLOR", "value": "red"}],
        "resources": {"limits": {"cpu": "2000m", "memory": "1Gi"}},
    }
    pod = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "labels": {"nopea.io/repository": "shop.web", "team": "blue"},
            "annotations": {"nopea.io/source": "web.yaml#1"},
            "finalizers": ["acme.example/keep"],
        },
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": pod},
    }


def owned_fields(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return the field set that the API server records for an apply of a built-in kind."""
    fields: dict[str, Any] = _fields(manifest, "", "", manifest.get("kind", ""))
    for name in ("f:apiVersion", "f:kind"):
        fields.pop(name, None)
    for name in ("f:name", "f:namespace"):
        fields.get("f:metadata", {}).pop(name, None)
    return {key: child for key, child in fields.items() if child or key != "f:metadata"}


def _fields(value: Any, name: str, inside: str, kind: str) -> Any:
    if isinstance(value, dict) and name not in ("selector", "nodeSelector"):
        around = name or inside
        return {f"f:{key}": _fields(item, key, around, kind) for key, item in value.items()}
    keys = keys_of_list(name, inside=inside, kind=kind, built_in=True) if isinstance(value, list) else None
    items = by_path_element(value, keys) if keys is not None else None
    if items is None:
        return {}
    return {
        key: {".": {}, **_fields(item, "", name, kind)} if key[:2] == "k:" else {}
        for key, item in items.items()
    }


def entry(fields: Fields, *, manager: str = "nopea", operation: str = "Apply", **more: Any) -> dict[str, Any]:
    """Return an entry of `managedFields`."""
    head = {"manager": manager, "operation": operation, "apiVersion": "apps/v1", "time": TIME}
    return {**head, "fieldsType": "FieldsV1", "fieldsV1": fields, **more}


def stored(
    manifest: dict[str, Any], *entries: dict[str, Any], fields: Fields | None = None
) -> dict[str, Any]:
    """Return the live object after our apply, with entries of others; `fields` replaces our own field set."""
    live = copy.deepcopy(manifest)
    ours = entry(owned_fields(manifest) if fields is None else fields)
    live.setdefault("metadata", {})["managedFields"] = [ours, *entries]
    return live


def trie(paths: Iterable[Path]) -> dict[str, Any]:
    """Return the field set of these paths."""
    fields: dict[str, Any] = {}
    for path in paths:
        node = fields
        for key in path:
            node = node.setdefault(key, {})
    return fields


def shuffled(value: Any) -> Any:
    """Return the value with the keys of all mappings in another order."""
    if isinstance(value, dict):
        return {key: shuffled(item) for key, item in reversed(value.items())}
    return [shuffled(item) for item in value] if isinstance(value, list) else value
