"""How Kubernetes merges the lists of its own kinds: by keys, as sets, or not at all (then one piece).

From the API server's schemas (v1.36). Lists of custom resources are one piece, which is the default for them
too; where a live object's `managedFields` know better, `core/drift/find.py` follows those.
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
    """Return the keys by which the list in this field is merged: none for a set, None for one piece.

    `inside` names the field around it: of an item, the list's own.
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
    """Return a list's items by their path elements (`k:…`, `v:…`); empty for None, nulls are skipped.

    None where that cannot be done: no list, an item without its keys, two items with the same.
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
