"""Fields that Git may hold as a placeholder and that a controller of the API fills in.

Applying the placeholder would be a fight with the controller, so it is dropped; other values stay.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any, Final

from nopea.core.objects import CUSTOM_RESOURCE_DEFINITION, GroupKind, split_api_version

_CLUSTER_ROLE: Final = GroupKind("rbac.authorization.k8s.io", "ClusterRole")
_API_SERVICE: Final = GroupKind("apiregistration.k8s.io", "APIService")
_ADMISSION: Final = "admissionregistration.k8s.io"


def drop_managed(manifest: dict[str, Any]) -> None:
    """Remove the rules of an aggregated ClusterRole, and CA bundles without a certificate, from a manifest.

    Kubernetes collects the rules; tools such as cert-manager and service meshes inject the bundles.
    """
    kind = GroupKind(split_api_version(str(manifest.get("apiVersion")))[0], str(manifest.get("kind")))
    if kind == _CLUSTER_ROLE and manifest.get("aggregationRule"):
        manifest.pop("rules", None)
    for holder in _holders_of_bundles(manifest, kind):
        if _is_blank(holder.get("caBundle")):
            del holder["caBundle"]


def _holders_of_bundles(manifest: Mapping[str, Any], kind: GroupKind) -> Iterator[dict[str, Any]]:
    """Yield the mappings that may have a `caBundle`."""
    holders: list[Any] = []
    if kind.group == _ADMISSION and isinstance(webhooks := manifest.get("webhooks"), list):
        holders = [_at(webhook, "clientConfig") for webhook in webhooks]
    elif kind == _API_SERVICE:
        holders = [manifest.get("spec")]
    elif kind == CUSTOM_RESOURCE_DEFINITION:
        holders = [_at(manifest, "spec", "conversion", "webhook", "clientConfig")]
    yield from (holder for holder in holders if isinstance(holder, dict))


def _at(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _is_blank(bundle: Any) -> bool:
    """Return whether a bundle in base64 is empty, or white space such as `Cg==`."""
    try:
        return isinstance(bundle, str) and not base64.b64decode(bundle, validate=True).strip()
    except ValueError:
        return False  # it is not base64: the API server refuses it
