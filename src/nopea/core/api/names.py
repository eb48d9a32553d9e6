"""Names that users and other programs depend on; they never change within v1alpha1."""

from __future__ import annotations

GROUP = "nopea.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "GitRepository"
PLURAL = "gitrepositories"
INVENTORY_KIND = "Inventory"
INVENTORY_PLURAL = "inventories"

FIELD_MANAGER = "nopea"
"""The manager of every field that Nopea applies. Never rename it: the old name would keep its fields."""

CONTROLLER_MANAGER = "nopea-controller"
"""The manager of what Nopea writes for itself, so that it shares no field with what Git declares."""

FINALIZER = f"{GROUP}/finalizer"

REPOSITORY_LABEL = f"{GROUP}/repository"
INVENTORY_LABEL = f"{GROUP}/inventory-of"
SOURCE_ANNOTATION = f"{GROUP}/source"
WAVE_ANNOTATION = f"{GROUP}/wave"
FORCE_ANNOTATION = f"{GROUP}/force"
SYNC_REQUESTED_ANNOTATION = f"{GROUP}/sync-requested-at"
SUSPEND_HEAL_ANNOTATION = f"{GROUP}/suspend-heal"
SUSPEND_HEAL_UNTIL_ANNOTATION = f"{GROUP}/suspend-heal-until"
HEAL_REQUESTED_ANNOTATION = f"{GROUP}/heal-requested"
PRUNE_ANNOTATION = f"{GROUP}/prune"
ROLLBACK_ANNOTATION = f"{GROUP}/rollback-to"
CONFIRM_PRUNE_ANNOTATION = f"{GROUP}/confirm-prune"
ABANDON_ANNOTATION = f"{GROUP}/abandon"
CONTROLLER = f"{GROUP}/controller"
LEASE = "nopea"
"""The Lease that a controller renews while it works."""
INVENTORY_KEY = "nopea-inventory-key"
"""The Secret with the key of the hashes in inventories."""
