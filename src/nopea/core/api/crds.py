"""Build the CustomResourceDefinitions: names, printer columns, and the schemas of the model.

Never reads or writes a file or a cluster.
"""

from __future__ import annotations

from typing import Any

from nopea.core.api import names
from nopea.core.api.inventory import InventorySpec
from nopea.core.api.schema import Schema, root, schema_of
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.api.status import GitRepositoryStatus

CATEGORIES = ["nopea", "gitops"]
"""Names that stand for several kinds: `kubectl get nopea`."""


def git_repository_crd() -> dict[str, Any]:
    """Return the CRD of GitRepository."""
    schema = root(
        description="A Git repository whose manifests Nopea applies to the cluster and keeps in sync.",
        required=("spec",),
        spec=schema_of(GitRepositorySpec, defaults=True),
        # One writer writes it whole; field by field, each write costs the API server a fifth more.
        status={**schema_of(GitRepositoryStatus, defaults=False), "x-kubernetes-map-type": "atomic"},
    )
    kinds = {
        "kind": names.KIND,
        "listKind": f"{names.KIND}List",
        "plural": names.PLURAL,
        "singular": names.KIND.lower(),
        "shortNames": ["gr"],  # not gitrepo: that is Flux's GitRepository
        "categories": CATEGORIES,
    }
    return _crd(kinds, schema, columns=REPOSITORY_COLUMNS, has_status=True)


def inventory_crd() -> dict[str, Any]:
    """Return the CRD of Inventory. It has no status: its spec is the record of what was applied."""
    schema = root(
        description="A part of the objects that Nopea applied for one GitRepository. For Nopea only.",
        required=("spec",),
        spec=schema_of(InventorySpec, defaults=False),
    )
    kinds = {
        "kind": names.INVENTORY_KIND,
        "listKind": f"{names.INVENTORY_KIND}List",
        "plural": names.INVENTORY_PLURAL,
        "singular": names.INVENTORY_KIND.lower(),
        "categories": CATEGORIES,
    }
    return _crd(kinds, schema, columns=INVENTORY_COLUMNS, has_status=False)


def _column(name: str, path: str, type_: str = "string", *, wide: bool = False) -> dict[str, Any]:
    column: dict[str, Any] = {"name": name, "type": type_, "jsonPath": path}
    return column | {"priority": 1} if wide else column


READY_CONDITION = '.status.conditions[?(@.type=="Ready")]'
AGE = _column("Age", ".metadata.creationTimestamp", "date")
REPOSITORY_COLUMNS = [
    _column("Ready", f"{READY_CONDITION}.status"),
    _column("Health", '.status.conditions[?(@.type=="Healthy")].reason'),
    _column("Revision", ".status.revision"),
    _column("Drift", ".status.driftedCount", "integer"),
    _column("Status", ".status.summary"),
    AGE,
    _column("Objects", ".status.resourceCount", "integer", wide=True),
    _column("Failed", ".status.failedCount", "integer", wide=True),
    _column("Last Sync", ".status.lastSyncTime", "date", wide=True),
    _column("URL", ".spec.url", wide=True),
]
INVENTORY_COLUMNS = [
    _column("Repository", ".spec.repository"),
    _column("Index", ".spec.index", "integer"),
    AGE,
]


def _crd(
    kinds: dict[str, Any], schema: Schema, *, columns: list[dict[str, Any]], has_status: bool
) -> dict[str, Any]:
    version: dict[str, Any] = {
        "name": names.VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": columns,
        "schema": {"openAPIV3Schema": schema},
    }
    if has_status:
        version["subresources"] = {"status": {}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{kinds['plural']}.{names.GROUP}",
            "labels": {"app.kubernetes.io/name": "nopea", "app.kubernetes.io/part-of": "nopea"},
        },
        "spec": {"group": names.GROUP, "names": kinds, "scope": "Namespaced", "versions": [version]},
    }
