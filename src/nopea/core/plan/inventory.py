"""The inventory: what was applied, as Kubernetes keeps it. Pure; `state/inventory.py` reads and writes it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from nopea.core.api.status import MAX_INLINE_INVENTORY, MAX_INVENTORY_CHUNK, InventoryEntry
from nopea.core.objects import ObjectKey
from nopea.core.plan.model import LastApplied, ObservedObject


def entries_of(applied: Mapping[ObjectKey, LastApplied]) -> tuple[InventoryEntry, ...]:
    """Return the inventory's entries, sorted by object."""
    return tuple(
        InventoryEntry(object=str(key), desired=last.hash, live=last.projection, commit=last.commit or None)
        for key, last in sorted(applied.items())
    )


def read_entries(entries: Iterable[InventoryEntry]) -> dict[ObjectKey, LastApplied]:
    """Return the records in the entries; an entry that does not name an object is skipped."""
    applied: dict[ObjectKey, LastApplied] = {}
    for entry in entries:
        key = parse_key(entry.object)
        if key is not None:
            applied[key] = LastApplied(hash=entry.desired, projection=entry.live, commit=entry.commit or "")
    return applied


def uids_of(owned: Mapping[ObjectKey, ObservedObject], keys: Collection[ObjectKey]) -> set[str]:
    """Return the uids of those objects that are live."""
    return {live.uid for key, live in owned.items() if key in keys and live.uid}


def unrecorded(
    owned: Mapping[ObjectKey, ObservedObject], recorded: Collection[ObjectKey]
) -> dict[ObjectKey, ObservedObject]:
    """Return the objects with our label and Apply entry that are not recorded, because of a crash.

    One object may be served under two kinds, such as Event in the core group and in events.k8s.io. The
    recorded one stands for both; otherwise the other would look like an object that is not in Git.
    """
    uids = uids_of(owned, recorded)
    return {
        key: live
        for key, live in owned.items()
        if key not in recorded and live.projection is not None and live.uid not in uids
    }


def parse_key(text: str) -> ObjectKey | None:
    """Read a printed object key (`apps/Deployment shop/web`); None for anything else."""
    kind_text, separator, where = text.partition(" ")
    if not separator or not kind_text or not where or " " in where:
        return None
    group, _, kind = kind_text.rpartition("/")
    namespace, slash, name = where.partition("/")
    if not slash:
        namespace, name = "", where
    return ObjectKey(group, kind, namespace, name) if kind and name and "/" not in name else None


def inline(entries: tuple[InventoryEntry, ...]) -> tuple[InventoryEntry, ...]:
    """Return the entries if they fit into the status, else nothing: then they are in chunks."""
    return entries if len(entries) <= MAX_INLINE_INVENTORY else ()


def chunks(entries: tuple[InventoryEntry, ...]) -> list[tuple[InventoryEntry, ...]]:
    """Return the entries in the chunks that Inventory objects hold; nothing when the status holds them."""
    if len(entries) <= MAX_INLINE_INVENTORY:
        return []
    return [entries[at : at + MAX_INVENTORY_CHUNK] for at in range(0, len(entries), MAX_INVENTORY_CHUNK)]
