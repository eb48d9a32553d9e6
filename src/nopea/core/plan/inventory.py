"""The inventory: what was applied, as Kubernetes keeps it. Pure; `state/inventory.py` reads and writes it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec

from nopea.core.api import packed
from nopea.core.api.inventory import MAX_INLINE_INVENTORY, MAX_INVENTORY_CHUNK
from nopea.core.objects import ObjectKey, RepoKey, parse_key
from nopea.core.plan.model import Finish, Finished, LastApplied, ObservedObject
from nopea.core.secret import NO_KEY, Secret, keyed_hash


class _Record(msgspec.Struct, array_like=True):
    """One packed record; the last fields may be missing: what admission changed, how a Job has ended."""

    key: str
    hash: str
    projection: str | None
    commit: str
    admission: str = ""
    finish: Finish | None = None
    manifest: str = ""


def pack(applied: Mapping[ObjectKey, LastApplied], *, key: Secret = NO_KEY) -> str:
    """Return the records as one short text, equal for equal records; empty for none.

    `key` is that of the hashes; the text tells which one, so that `unpack` sees that another has come.
    """
    records = [
        (str(name), last.hash, last.projection, last.commit, *_packed(last))
        for name, last in sorted(applied.items())
    ]
    return f"{_id_of(key)}.{packed.pack(records)}" if records else ""


def _packed(last: LastApplied) -> tuple[str, ...]:
    if last.finished is not None:
        return (last.admission, last.finished.how, last.finished.manifest)
    return (last.admission,) if last.admission else ()


def unpack(text: str, *, key: Secret = NO_KEY) -> dict[ObjectKey, LastApplied]:
    """Return the records in a text of `pack`, without the hashes of another key.

    Raises ValueError for any other text.
    """
    if not text:
        return {}
    key_id, _, records_text = text.rpartition(".")
    records = packed.unpack(records_text, list[_Record])
    ours = key_id == _id_of(key)
    return {_key(record.key): _unpacked(record, ours=ours) for record in records}


def _unpacked(record: _Record, *, ours: bool) -> LastApplied:
    finished = None
    if record.finish is not None:
        finished = Finished(how=record.finish, manifest=record.manifest if ours else "")
    return LastApplied(
        hash=record.hash if ours else "",
        projection=record.projection if ours else None,
        commit=record.commit,
        admission=record.admission,
        finished=finished,
    )


def _id_of(key: Secret) -> str:
    return keyed_hash(b"inventory", key)[:16]


def _key(name: str) -> ObjectKey:
    key = parse_key(name)
    if key is None:
        raise ValueError(f"{name[:100]!r} is not an object")
    return key


def uids_of(owned: Mapping[ObjectKey, ObservedObject], keys: Collection[ObjectKey]) -> set[str]:
    """Return the uids of those objects that are live."""
    return {live.uid for key, live in owned.items() if key in keys and live.uid}


def namespaces_of(repository: RepoKey, target: str | None, keys: Iterable[ObjectKey]) -> frozenset[str]:
    """Return the namespaces in which a repository has objects; empty text stands for cluster-scoped ones."""
    return frozenset({repository.namespace, target or repository.namespace, *(key.namespace for key in keys)})


def unrecorded(
    owned: Mapping[ObjectKey, ObservedObject],
    recorded: Collection[ObjectKey],
    *,
    namespaces: Collection[str],
) -> dict[ObjectKey, ObservedObject]:
    """Return the objects with our label and Apply entry that are not recorded, because of a crash.

    Whoever may write an object can forge both, so objects outside `namespaces` are not ours: the tenant of
    another namespace could otherwise put its objects into the inventory.

    One object may be served under two kinds, such as Event in the core group and in events.k8s.io. The
    recorded one stands for both; otherwise the other would look like an object that is not in Git.
    """
    uids = uids_of(owned, recorded)
    return {
        key: live
        for key, live in owned.items()
        if key not in recorded
        and key.namespace in namespaces
        and live.projection is not None
        and live.uid not in uids
    }


def inline(applied: Mapping[ObjectKey, LastApplied], *, key: Secret = NO_KEY) -> str:
    """Return the packed records if the status holds them, else nothing: then they are in chunks."""
    return pack(applied, key=key) if len(applied) <= MAX_INLINE_INVENTORY else ""


def chunks(applied: Mapping[ObjectKey, LastApplied], *, key: Secret = NO_KEY) -> list[str]:
    """Return the packed records that Inventory objects hold; nothing when the status holds them."""
    if len(applied) <= MAX_INLINE_INVENTORY:
        return []
    records = sorted(applied.items())
    return [
        pack(dict(records[at : at + MAX_INVENTORY_CHUNK]), key=key)
        for at in range(0, len(records), MAX_INVENTORY_CHUNK)
    ]
