"""The move of the inventory between the status and Inventory objects, which can be read at any time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import msgspec
import orjson
import pytest
from tests.fakes.samples import repository

from nopea.core.api.status import GitRepositoryStatus
from nopea.core.objects import ObjectKey
from nopea.core.plan import inventory
from nopea.core.plan.model import LastApplied
from nopea.core.problem import StalledError
from nopea.kube.live import LiveObject, ObjectList
from nopea.state.inventory import InventoryStore
from nopea.state.store import RepositoryState

REPOSITORY = repository()


class Objects:
    """Stores the Inventory objects as the API server does."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}

    async def apply_own(self, target: Any, body: bytes) -> None:
        """Store an object."""
        self.bodies[target.key.name] = body

    async def delete(self, target: Any) -> None:
        """Delete an object."""
        del self.bodies[target.key.name]

    async def list(self, *_: Any) -> ObjectList:
        """List all objects."""
        return ObjectList(items=tuple(map(LiveObject, self.bodies.values())), resource_version="1")


def state_of(count: int) -> RepositoryState:
    """Return the state of a repository with this number of applied objects."""
    state = RepositoryState(uid=REPOSITORY.uid, status=GitRepositoryStatus())
    for number in range(count):
        state.applied[ObjectKey("", "ConfigMap", "shop", f"m{number:03}")] = LastApplied(
            hash="h", projection="p"
        )
    return state


async def test_inventory_objects_stay_until_the_status_has_their_entries() -> None:
    """If they were deleted first, a crash in between would lose the inventory."""
    objects = Objects()
    store = InventoryStore(cast("Any", objects))
    state = state_of(101)
    assert await store.save(REPOSITORY, state) == ""

    state.applied.popitem()
    inline = await store.save(REPOSITORY, state)
    await store.trim(REPOSITORY, state)
    assert (len(inventory.unpack(inline)), len(objects.bodies)) == (100, 1)

    state.status = msgspec.structs.replace(state.status, inventory=inventory.pack(state.applied))
    await store.trim(REPOSITORY, state)
    assert objects.bodies == {}


@pytest.mark.parametrize(("protected", "commit"), [(None, "new"), (0, "new"), (1, "old")])
async def test_under_break_glass_an_object_is_as_an_older_commit_declares_it(
    protected: int | None, commit: str
) -> None:
    """Else what the newest one changes would count as applied."""
    applied = {ObjectKey("", "ConfigMap", "shop", "web"): LastApplied(hash="", projection="p", commit="old")}
    status = GitRepositoryStatus(
        inventory=inventory.pack(applied),
        last_applied_commit="new",
        last_attempted_commit="new",
        suspended_count=protected,
    )
    state = RepositoryState(uid=REPOSITORY.uid, status=status)

    await InventoryStore(cast("Any", Objects())).load(replace(REPOSITORY, status=status), state)

    assert [each.commit for each in state.applied.values()] == [commit]


async def test_a_crash_before_the_trim_leaves_no_inventory_objects_behind() -> None:
    """The next process deletes Inventory objects that the status no longer needs, even unreadable ones."""
    objects = Objects()
    await InventoryStore(cast("Any", objects)).save(REPOSITORY, state_of(150))
    for name, body in objects.bodies.items():
        objects.bodies[name] = orjson.dumps({**orjson.loads(body), "spec": {"index": "first"}})
    applied = state_of(50).applied
    status = msgspec.structs.replace(
        REPOSITORY.status, conditions=_conditions(), inventory=inventory.pack(applied)
    )
    state = RepositoryState(uid=REPOSITORY.uid, status=status)
    store = InventoryStore(cast("Any", objects))

    await store.load(replace(REPOSITORY, status=status), state)
    await store.trim(REPOSITORY, state)

    assert state.applied == applied
    assert objects.bodies == {}


async def test_an_unreadable_inventory_is_not_an_empty_one() -> None:
    """It is a problem that names the object and not a crash; the state does not count as loaded."""
    objects = Objects()
    store = InventoryStore(cast("Any", objects))
    await store.save(REPOSITORY, state_of(101))
    (name,) = objects.bodies
    body = orjson.loads(objects.bodies[name])
    body["spec"]["index"] = "first"
    objects.bodies[name] = orjson.dumps(body)
    state = RepositoryState(uid=REPOSITORY.uid, status=REPOSITORY.status)
    state.status = msgspec.structs.replace(state.status, conditions=_conditions())

    with pytest.raises(StalledError) as caught:
        await store.load(REPOSITORY, state)

    assert name in str(caught.value.problems[0])
    assert not state.loaded


def _conditions() -> Any:
    fields = {
        "type": "Ready",
        "status": "True",
        "reason": "Succeeded",
        "message": "",
        "observedGeneration": 1,
    }
    raw = {"conditions": [{**fields, "lastTransitionTime": "2026-01-01T00:00:00Z"}]}
    return msgspec.convert(raw, GitRepositoryStatus).conditions


async def test_an_unreadable_inventory_can_be_removed_from_the_status() -> None:
    """The process does not hold on to what it has read first."""
    store = InventoryStore(cast("Any", Objects()))
    broken = msgspec.structs.replace(REPOSITORY.status, conditions=_conditions(), inventory="rubbish")
    state = RepositoryState(uid=REPOSITORY.uid, status=broken)
    with pytest.raises(StalledError, match="NOPEA-K009"):
        await store.load(replace(REPOSITORY, status=broken), state)

    removed = msgspec.structs.replace(broken, inventory="")
    await store.load(replace(REPOSITORY, status=removed), state)

    assert (state.loaded, state.applied, state.status.inventory) == (True, {}, "")
