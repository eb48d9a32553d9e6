"""Keeps the inventory in Kubernetes: in the status up to 100 objects, else in Inventory objects beside it.

Reads once per repository and process, writes only what changed; what it holds is `core/plan/inventory.py`'s.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from nopea.core.api import names
from nopea.core.api.inventory import InventorySpec
from nopea.core.api.labels import owner_label
from nopea.core.api.repository import Repository
from nopea.core.api.status import GitRepositoryStatus
from nopea.core.objects import ObjectKey
from nopea.core.plan import inventory
from nopea.core.plan.model import LastApplied
from nopea.core.problem import Code, Problem, StalledError
from nopea.core.secret import NO_KEY, Secret
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiError, NotFoundError
from nopea.kube.kinds import INVENTORIES
from nopea.kube.problems import to_sync_error
from nopea.kube.requests import Selection
from nopea.state.inventory_key import InventoryKey
from nopea.state.store import RepositoryState

_NAME_LENGTH = 200


class InventoryStore:
    """Reads and writes inventories. Raises SyncError when the API server refuses."""

    def __init__(self, client: KubeClient, key: InventoryKey | None = None) -> None:
        """Without the key of the hashes, as commands are, no recorded hash is used."""
        self._client = client
        self._key = key

    async def load(self, repository: Repository, state: RepositoryState) -> None:
        """Fill the state's memory of what was applied from Kubernetes, the first time only."""
        if state.loaded:
            return
        if self._key is not None:
            try:
                await self._key.load()
            except ApiError as error:
                raise to_sync_error(error, object=self._key.name) from error
        text = repository.status.inventory  # as it is now: a user may have removed an unreadable one
        state.status = msgspec.structs.replace(state.status, inventory=text)
        applied = self._unpack(text, "status.inventory", of=str(repository.object_key))
        if applied:
            await self._find_leftovers(repository, state)
        elif state.status.conditions:  # else it is new and has no Inventory objects
            applied = await self._read_chunks(repository, state)
        state.applied = {**_at_last_commit(applied, state.status), **state.applied}
        state.loaded = True

    async def save(self, repository: Repository, state: RepositoryState) -> str:
        """Write what is too long for the status into Inventory objects; return what the status holds.

        What an Inventory object held that is not needed any more stays until `trim`.
        """
        for index, chunk in enumerate(inventory.chunks(state.applied, key=self._hash_key())):
            spec = InventorySpec(repository=repository.key.name, index=index, objects=chunk)
            await self._write_chunk(repository, state, spec)
        return inventory.inline(state.applied, key=self._hash_key())

    def _hash_key(self) -> Secret:
        return self._key.current() if self._key is not None else NO_KEY

    async def trim(self, repository: Repository, state: RepositoryState) -> None:
        """Delete the Inventory objects that are too many, once the status holds what was in them.

        Before that a crash would leave the inventory nowhere.
        """
        if state.status.inventory != inventory.inline(state.applied, key=self._hash_key()):
            return
        needed = len(inventory.chunks(state.applied))
        for index in [index for index in state.chunks if index >= needed]:
            await self._delete_chunk(repository, index)
            del state.chunks[index]

    async def _read_chunks(
        self, repository: Repository, state: RepositoryState
    ) -> dict[ObjectKey, LastApplied]:
        applied: dict[ObjectKey, LastApplied] = {}
        for raw in await self._list(repository, metadata_only=False):
            spec = _read_spec(raw, repository)
            state.chunks[spec.index] = _digest(spec)
            name = (
                f"{names.GROUP}/{names.INVENTORY_KIND} {repository.key.namespace}/{raw['metadata']['name']}"
            )
            applied |= self._unpack(spec.objects, "spec.objects", of=name)
        return applied

    def _unpack(self, text: str, field: str, *, of: str) -> dict[ObjectKey, LastApplied]:
        try:
            return inventory.unpack(text, key=self._hash_key())
        except ValueError as error:
            raise _unreadable(field, error, of=of) from error

    async def _find_leftovers(self, repository: Repository, state: RepositoryState) -> None:
        """Note the Inventory objects that a crash before `trim` left over, for the next `trim`."""
        for raw in await self._list(repository, metadata_only=True):
            index = raw["metadata"]["name"].rpartition("-")[2]
            if index.isdecimal():
                state.chunks.setdefault(int(index), "")

    async def _list(self, repository: Repository, *, metadata_only: bool) -> list[dict[str, Any]]:
        selection = Selection(
            namespace=repository.key.namespace,
            labels=f"{names.INVENTORY_LABEL}={owner_label(repository.key)}",
            metadata_only=metadata_only,
        )
        try:
            listing = await self._client.list(INVENTORIES, selection)
        except ApiError as error:
            raise to_sync_error(error, object=f"the inventories of {repository.key}") from error
        return [raw for live in listing.items if _is_of(raw := live.json(), repository)]

    async def _write_chunk(self, repository: Repository, state: RepositoryState, spec: InventorySpec) -> None:
        digest = _digest(spec)
        if state.chunks.get(spec.index) == digest:
            return
        name = _chunk_name(repository, spec.index)
        body = {
            "apiVersion": names.API_VERSION,
            "kind": names.INVENTORY_KIND,
            "metadata": {
                "name": name,
                "namespace": repository.key.namespace,
                "labels": {names.INVENTORY_LABEL: owner_label(repository.key)},
                "ownerReferences": [_owner_reference(repository)],
            },
            "spec": spec,
        }
        target = INVENTORIES.at(name=name, namespace=repository.key.namespace)
        try:
            await self._client.apply_own(target, msgspec.json.encode(body))
        except ApiError as error:
            raise to_sync_error(error, object=str(target.key)) from error
        state.chunks[spec.index] = digest

    async def _delete_chunk(self, repository: Repository, index: int) -> None:
        name = _chunk_name(repository, index)
        target = INVENTORIES.at(name=name, namespace=repository.key.namespace)
        try:
            await self._client.delete(target)
        except NotFoundError:
            return
        except ApiError as error:
            raise to_sync_error(error, object=str(target.key)) from error


def forget(state: RepositoryState, keys: Collection[ObjectKey]) -> None:
    """Remove objects that are gone or belong to another repository now."""
    for key in keys:
        state.applied.pop(key, None)
        state.drifted_since.pop(key, None)
        state.as_applied.discard(key)


def _chunk_name(repository: Repository, index: int) -> str:
    name = repository.key.name
    if len(name) > _NAME_LENGTH:
        name = f"{name[:_NAME_LENGTH].rstrip('-.')}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return f"{name}-{index}"


def _owner_reference(repository: Repository) -> dict[str, Any]:
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "name": repository.key.name,
        "uid": repository.uid,
    }


def _is_of(raw: Mapping[str, Any], repository: Repository) -> bool:
    """An inventory of an earlier object of the same name says nothing about this one."""
    owners = (raw.get("metadata") or {}).get("ownerReferences") or ()
    return any(owner.get("uid") == repository.uid for owner in owners)


def _read_spec(raw: Mapping[str, Any], repository: Repository) -> InventorySpec:
    """Read one Inventory object; raise if it is malformed, which must not pass for an empty one."""
    try:
        return msgspec.convert(raw.get("spec") or {}, InventorySpec)
    except msgspec.ValidationError as error:
        name = (raw.get("metadata") or {}).get("name", "")
        raise _unreadable(
            "spec", error, of=f"{names.GROUP}/{names.INVENTORY_KIND} {repository.key.namespace}/{name}"
        ) from error


def _at_last_commit(
    applied: dict[ObjectKey, LastApplied], status: GitRepositoryStatus
) -> dict[ObjectKey, LastApplied]:
    """Return the records; those without their hash get the last commit if that was applied in full.

    What they were applied from is compared with Git then. The last commit declares the same as an older one
    in which an object was applied last, and is the only one that has to be read. Under break-glass an object
    stays as an older one declares it.
    """
    commit = status.last_applied_commit
    if not commit or commit != status.last_attempted_commit or status.suspended_count:
        return applied
    return {
        key: replace(last, commit=commit) if last.commit and not last.hash else last
        for key, last in applied.items()
    }


def _unreadable(field: str, error: Exception, *, of: str) -> StalledError:
    return StalledError(
        Problem(
            code=Code.API_REJECTED,
            message=f"The inventory in {field} cannot be read: {error}",
            hint="Another version of Nopea wrote it, or a user. Restore it, or remove it: "
            "then Nopea finds its objects by their labels.",
            object=of,
        )
    )


def _digest(spec: InventorySpec) -> str:
    return hashlib.blake2b(msgspec.json.encode(spec), digest_size=16).hexdigest()
