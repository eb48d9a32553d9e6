"""How Kubernetes merges the lists of its own kinds: by keys, as sets, or not at all (atomic).

From the API server's schemas (v1.36). Lists of custom resources are atomic, which is their default; if the
`managedFields` of a live object say otherwise, `core/drift/find.py` follows them.
"""

from __future__ import annotations

from typing import Any, Final

from nopea.core.apply.list_items import item_key, member_key

_BY_KEYS: Final[dict[str, tuple[str, ...]]] = {
    "claims": ("name",),
    "containers": ("name",),
    "drivers": ("name",),
    "env": ("name",),
    "ephemeralContainers": ("name",),
    "hostAliases": ("ip",),
    "initContainers": ("name",),
    "matchConditions": ("name",),
    "resourceClaims": ("name",),
    "schedulingGates": ("name",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "volumeDevices": ("devicePath",),
    "volumeMounts": ("mountPath",),
    "volumes": ("name",),
    "webhooks": ("name",),
    "x-kubernetes-validations": ("rule",),
}
_SETS: Final = frozenset(("podCIDRs", "validationActions", "volumeLifecycleModes"))
_CONTAINERS: Final = frozenset(("containers", "ephemeralContainers", "initContainers"))


def keys_of_list(name: str, *, inside: str, kind: str, built_in: bool) -> tuple[str, ...] | None:
    """Return the keys by which the list in this field is merged: () for a set, None for an atomic list.

    `inside` is the field around it; for a field of an item, the name of the list.
    """
    if inside == "metadata" and name == "finalizers":
        return ()
    if inside == "metadata" and name == "ownerReferences":
        return ("uid",)
    if not built_in:
        return None
    if name in _SETS:
        return ()
    match name:
        case "ports" if inside in _CONTAINERS:
            return ("containerPort", "protocol")
        case "ports" if kind == "Service" and inside == "spec":
            return ("port", "protocol")
        case "imagePullSecrets":
            return None if kind == "ServiceAccount" else ("name",)
        case "secrets" if kind == "ServiceAccount":
            return ("name",)
        case "variables" if kind == "ValidatingAdmissionPolicy":
            return ("name",)
    return _BY_KEYS.get(name)


def by_path_element(items: Any, keys: tuple[str, ...]) -> dict[str, Any] | None:
    """Return the items of a list by their path elements (`k:…`, `v:…`); empty for None, nulls are skipped.

    None if that is impossible: not a list, an item without its keys, or two items with the same keys.
    """
    if items is None:
        return {}
    if not isinstance(items, list):
        return None
    named: dict[str, Any] = {}
    for item in (item for item in items if item is not None):
        if not keys:
            key: str | None = member_key(item)
        else:
            key = item_key(item, keys) if isinstance(item, dict) else None
        if key is None or key in named:
            return None
        named[key] = item
    return named
