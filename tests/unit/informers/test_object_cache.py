"""What the object cache contains and which owners it wakes, with a fake watch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, cast

import pytest
from tests.fakes.samples import NOW
from tests.fakes.watch import FakeWatch

from nopea.core.health.assess import assess
from nopea.core.objects import ObjectKey, Resource
from nopea.core.plan.model import Finish, ObservedObject
from nopea.informers import object_cache as live_index
from nopea.informers.object_cache import OURS, OURS_BRIEFLY, ObjectCache, Watcher
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiFailure, ForbiddenError

MAPS = Resource(
    group="", version="v1", kind="ConfigMap", plural="configmaps", namespaced=True,
    verbs=frozenset({"list", "watch"}),
)  # fmt: skip
OTHERS = Resource(group="acme.example", version="v1", kind="Widget", plural="widgets", namespaced=True)
WEB, MARK = "shop.web", "shop.mark"


def config(name: str = "a", version: int = 1, *, owner: str | None = WEB, **more: Any) -> dict[str, Any]:
    """Return a ConfigMap as the API server stores it."""
    metadata = {"name": name, "namespace": "shop", "resourceVersion": str(version), "uid": f"u-{name}"}
    labels = {} if owner is None else {"labels": {"nopea.io/repository": owner}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {**metadata, **labels, **more}}


def key(name: str = "a") -> ObjectKey:
    """Return the key of the ConfigMap."""
    return ObjectKey("", "ConfigMap", "shop", name)


def observed(version: int, *, owner: str | None = WEB, name: str = "a", **more: Any) -> ObservedObject:
    """Return the observed facts of the ConfigMap."""
    health = assess(config(name), now=NOW)
    return ObservedObject(owner=owner, resource_version=str(version), uid=f"u-{name}", health=health, **more)


class Place:
    """An object cache, its fake watch, and the owners that it woke."""

    def __init__(self, watch: FakeWatch) -> None:
        self.watch = watch
        self._told: list[str] = []
        self.object_cache = ObjectCache(watch.client, wake=self._told.append)

    @property
    def told(self) -> list[str]:
        """The owners that were woken since the start, sorted."""
        return sorted(one for one in self._told if one != MARK)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until the condition holds; fail after ten seconds."""
        async with asyncio.timeout(10):
            while not holds():  # noqa: ASYNC110 - the cache has no event to wait for
                await asyncio.sleep(0.005)

    async def arrived(self, version: int) -> None:
        """Wait until all events were received, by sending a last one."""
        self.watch.put(config("mark", version, owner=MARK))
        await self.until(lambda: self.version("mark") == str(version))

    def version(self, name: str = "a") -> str | None:
        """Return the cached version of the ConfigMap."""
        found = self.object_cache.get(MAPS, key(name))
        return found.resource_version if found else None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the object cache until the context is closed."""
        task = asyncio.get_running_loop().create_task(self.object_cache.run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def forget_told(self) -> None:
        """Forget the owners that were woken so far."""
        self._told.clear()


@asynccontextmanager
async def following(*objects: dict[str, Any]) -> AsyncIterator[Place]:
    """Run an object cache that has listed these ConfigMaps until the context is closed."""
    place = Place(FakeWatch(objects))
    async with place.running():
        await place.object_cache.ensure([(MAPS, "shop")])
        await place.until(lambda: place.version(objects[0]["metadata"]["name"]) is not None)
        place.forget_told()
        yield place


async def test_before_the_first_list_nothing_is_known() -> None:
    """An empty cache does not mean that there are no objects."""
    object_cache = ObjectCache(FakeWatch([config()]).client)
    assert not object_cache.knows(MAPS, "shop")
    assert not object_cache.covers(key())
    assert object_cache.get(MAPS, key()) is None
    assert object_cache.owned(WEB) == {}


async def test_listed_objects_are_known() -> None:
    """Objects are found by key, by owner and by kind; only objects with our label are listed."""
    async with following(config(), config("b", owner="shop.other")) as place:
        assert place.object_cache.knows(MAPS, "shop")
        assert place.object_cache.covers(key())
        assert not place.object_cache.knows(OTHERS, "shop")
        assert not place.object_cache.covers(ObjectKey(OTHERS.group, OTHERS.kind, "shop", "web"))
        assert place.object_cache.get(MAPS, key()) == observed(1)
        assert place.object_cache.owned(WEB) == {key(): observed(1)}
        assert place.object_cache.owned("shop.other") == {key("b"): observed(1, owner="shop.other", name="b")}
        assert place.watch.selections == [OURS]


async def test_a_kind_is_followed_once() -> None:
    """A kind has one watch however often it is requested."""
    async with following(config()) as place:
        await place.object_cache.ensure([(MAPS, "shop"), (MAPS, "shop")])
        await place.arrived(2)
        assert place.watch.lists == 1


async def test_a_change_wakes_the_owner() -> None:
    """A change such as a user's annotation is in the cache, and wakes the owner."""
    async with following(config()) as place:
        place.watch.put(config(version=2, annotations={"nopea.io/prune": "false"}))
        await place.arrived(3)
        assert place.object_cache.get(MAPS, key()) == observed(2, prune="false")
        assert place.told == [WEB]


async def test_a_change_without_effect_on_a_plan_wakes_no_worker() -> None:
    """A new version without a relevant change, such as a new status, is stored."""
    async with following(config()) as place:
        place.watch.put(config(version=2, annotations={"acme.example/seen": "1"}))
        await place.arrived(3)
        assert place.version() == "2"
        assert place.told == []


async def test_a_deletion_wakes_the_owner() -> None:
    """The object is removed from the cache."""
    async with following(config(), config("b")) as place:
        place.watch.delete(config(version=2))
        await place.arrived(3)
        assert place.object_cache.owned(WEB) == {key("b"): observed(1, name="b")}
        assert place.told == [WEB]


async def test_a_changed_owner_label_wakes_both_owners() -> None:
    """The old owner loses the object, and the new one gets it."""
    async with following(config(), config("b")) as place:
        place.watch.put(config(version=2, owner="shop.other"))
        place.watch.put(config("b", version=3, owner=None))
        await place.arrived(4)
        assert place.told == ["shop.other", WEB, WEB]
        assert place.object_cache.owned(WEB) == {}
        assert place.object_cache.get(MAPS, key("b")) is None
        assert place.object_cache.owned("shop.other") == {key(): observed(2, owner="shop.other")}


async def test_the_result_of_an_apply_is_known_at_once() -> None:
    """It wakes no worker, and an older event of the watch does not replace it."""
    async with following(config()) as place:
        place.object_cache.assume(MAPS, key(), observed(10, projection="p1"))
        assert place.version() == "10"
        place.watch.put(config(version=9, annotations={"nopea.io/prune": "false"}))
        await place.arrived(11)
        assert place.object_cache.get(MAPS, key()) == observed(10, projection="p1")
        assert place.told == []


async def test_an_object_with_another_projection_replaces_the_known_one() -> None:
    """The version is the same, but other ignore rules give another projection; later events count."""
    async with following(config()) as place:
        place.object_cache.assume(MAPS, key(), observed(1, projection="p2"))
        assert place.object_cache.get(MAPS, key()) == observed(1, projection="p2")
        place.watch.put(config(version=2))
        await place.arrived(3)
        assert place.object_cache.get(MAPS, key()) == observed(2)


async def test_a_failed_first_list_ends_the_wait() -> None:
    """Objects are then read one by one, and the list is retried in the background."""
    place = Place(FakeWatch([config()]))
    place.watch.down = True
    async with place.running():
        async with asyncio.timeout(5):
            await place.object_cache.ensure([(MAPS, "shop")])
        assert not place.object_cache.knows(MAPS, "shop")
        place.watch.down = False
        await place.until(lambda: place.object_cache.knows(MAPS, "shop"))


async def test_versions_are_numbers() -> None:
    """Version 10 is newer than version 9."""
    async with following(config(version=9)) as place:
        place.object_cache.assume(MAPS, key(), observed(10))
        assert place.version() == "10"
        place.object_cache.assume(MAPS, key(), observed(9))
        assert place.version() == "10"


async def test_an_older_deletion_does_not_undo_an_apply() -> None:
    """The object was deleted and created again, and the watch has only seen the deletion."""
    async with following(config()) as place:
        place.object_cache.assume(MAPS, key(), observed(10))
        place.watch.delete(config(version=9))
        await place.arrived(11)
        assert place.version() == "10"
        place.watch.delete(config(version=12))
        await place.arrived(13)
        assert place.version() is None


async def test_a_deleted_object_is_removed_at_once() -> None:
    """Only the object with this key and kind is removed."""
    async with following(config(), config("b")) as place:
        place.object_cache.assume_gone(ObjectKey("acme.example", "ConfigMap", "shop", "b"))
        place.object_cache.assume_gone(key())
        assert place.object_cache.owned(WEB) == {key("b"): observed(1, name="b")}


async def test_a_kind_that_is_not_followed_is_not_assumed() -> None:
    """With one known object, the kind would seem to be complete."""
    object_cache = ObjectCache(FakeWatch().client)
    object_cache.assume(OTHERS, ObjectKey("acme.example", "Widget", "shop", "w"), observed(1))
    assert object_cache.owned(WEB) == {}


async def test_a_new_list_wakes_the_owners_of_changed_objects() -> None:
    """Deleted, new and changed objects wake their owners; unchanged objects do not."""
    async with following(config(), config("b", owner="shop.b"), config("c", owner="shop.c")) as place:
        place.watch.change_unseen(
            config("b", version=5, owner="shop.b", annotations={"nopea.io/prune": "true"}),
            config("d", version=6, owner="shop.d"),
            deleted=[config()],
        )
        place.watch.forget_history()
        await place.until(lambda: place.version("d") is not None)
        assert place.told == ["shop.b", "shop.d", WEB]
        assert place.version() is None
        assert place.version("c") == "1"


async def test_a_sweep_follows_kinds_with_objects_of_ours() -> None:
    """After a crash they may not be in an inventory; kinds that cannot be listed are skipped."""
    place = Place(FakeWatch([config()]))
    object_cache, watch = place.object_cache, place.watch
    await object_cache.sweep([OTHERS])
    assert watch.lists == 0  # the kind cannot be watched
    watch.down = True
    await object_cache.sweep([MAPS])
    watch.down = False
    async with place.running():
        await object_cache.sweep([MAPS, MAPS])
        await place.until(lambda: object_cache.knows(MAPS, "shop"))
        await place.until(lambda: place.told == [WEB])
    assert watch.selections == [OURS_BRIEFLY, OURS_BRIEFLY, OURS]


async def test_a_kind_without_objects_of_ours_is_not_followed() -> None:
    """Otherwise every served kind would have a watch."""
    place = Place(FakeWatch())
    async with place.running():
        await place.object_cache.sweep([MAPS])
        await place.object_cache.ensure([])
        assert place.watch.selections == [OURS_BRIEFLY]
        assert not place.object_cache.knows(MAPS, "shop")


async def test_an_unused_kind_is_retired(monkeypatch: pytest.MonkeyPatch) -> None:
    """A live object, an applied object or a recent request keeps the kind."""
    async with following(config()) as place:
        object_cache = place.object_cache
        object_cache.retire([])
        place.watch.delete(config(version=2))
        await place.until(lambda: place.version() is None)
        object_cache.retire([])
        assert object_cache.knows(MAPS, "shop")
        monkeypatch.setattr(live_index, "IDLE_SECONDS", -1.0)
        object_cache.retire([MAPS.group_kind])
        assert object_cache.knows(MAPS, "shop")
        object_cache.assume(MAPS, key(), observed(3))
        object_cache.retire([])
        assert object_cache.knows(MAPS, "shop")
        object_cache.assume_gone(key())
        object_cache.retire([])
        assert not object_cache.knows(MAPS, "shop")
        await object_cache.ensure([(MAPS, "shop")])
        assert object_cache.knows(MAPS, "shop")


async def test_the_statistics_of_the_cache() -> None:
    """The statistics are objects, watches by state, and lists."""
    async with following(config("a", 1), config("b", 2)) as place:
        counts = place.object_cache.statistics()

    assert counts.objects == 2
    assert counts.watches == {"working": 1, "failing": 0}
    assert counts.lists >= 1


class Account:
    """A service account that may watch in one namespace, or everywhere."""

    def __init__(self, watch: FakeWatch, *, everywhere: bool = False) -> None:
        self.watch = watch
        self.everywhere = everywhere
        self.reviews = 0

    async def review(self, _: bytes) -> bytes:
        """Answer whether it may watch in all namespaces."""
        self.reviews += 1
        return b'{"status": {"allowed": true}}' if self.everywhere else b'{"status": {"allowed": false}}'

    def __getattr__(self, name: str) -> Any:
        return getattr(self.watch, name)


@asynccontextmanager
async def refused(*objects: dict[str, Any], everywhere: bool = False) -> AsyncIterator[tuple[Place, Account]]:
    """Run a cache whose process may list nothing, and give it an account that may."""
    place = Place(FakeWatch())
    place.watch.refuse = ForbiddenError(ApiFailure(code=403, reason="Forbidden", message="no"))
    account = Account(FakeWatch(objects), everywhere=everywhere)
    async with place.running():
        yield place, account


def watcher(account: Account, name: str = "system:serviceaccount:shop:deployer") -> Watcher:
    """Return the account as the cache takes it."""
    return Watcher(account=name, client=cast("KubeClient", account))


async def test_the_account_watches_where_the_process_may_not() -> None:
    """Only its namespace, if it may no more; its objects are known as if the process had seen them."""
    async with refused(config()) as (place, account):
        await place.object_cache.ensure([(MAPS, "shop")])
        assert place.object_cache.refused([key()]) == {(MAPS, "shop")}

        await place.object_cache.ensure([(MAPS, "shop")], watcher(account))

        assert place.object_cache.knows(MAPS, "shop")
        assert not place.object_cache.knows(MAPS, "other")
        assert place.object_cache.refused([key()]) == set()
        assert place.object_cache.owned(WEB) == {key(): observed(1)}
        assert account.watch.selections == [replace(OURS, namespace="shop")]
        account.watch.put(config(version=2))
        await place.until(lambda: place.version() == "2")
        assert place.object_cache.unwatched(WEB) == {}
        place.object_cache.assume(MAPS, key(), observed(3))
        account.watch.delete(config(version=4))
        await place.until(lambda: place.object_cache.owned(WEB) == {})


async def test_an_account_that_may_watch_everywhere_watches_once() -> None:
    """One watch for all of its namespaces; it is asked once."""
    async with refused(config(), everywhere=True) as (place, account):
        for namespace in ("shop", "other", "shop"):
            await place.object_cache.ensure([(MAPS, namespace)], watcher(account))

        assert account.watch.selections == [OURS]
        assert account.reviews == 1
        assert place.object_cache.knows(MAPS, "other")


async def test_an_account_that_may_not_watch_leaves_what_was_read() -> None:
    """It is not believed, and it is named as unwatched."""
    async with refused() as (place, account):
        account.watch.refuse = place.watch.refuse
        await place.object_cache.ensure([(MAPS, "shop")], watcher(account))
        place.object_cache.assume(MAPS, key(), observed(1))

        assert not place.object_cache.covers(key())
        assert place.object_cache.unwatched(WEB) == {key(): MAPS}
        assert place.object_cache.refused([key()]) == {(MAPS, "shop")}


async def test_an_accounts_watch_ends_when_nobody_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kind may still be applied by others, in other namespaces."""
    async with refused() as (place, account):
        await place.object_cache.ensure([(MAPS, "shop")], watcher(account))
        assert place.object_cache.knows(MAPS, "shop")
        monkeypatch.setattr(live_index, "IDLE_SECONDS", -1.0)

        place.object_cache.retire([MAPS.group_kind])

        assert not place.object_cache.knows(MAPS, "shop")


JOBS = Resource(group="batch", version="v1", kind="Job", plural="jobs", namespaced=True)


def _job(version: int, *conditions: str) -> dict[str, Any]:
    status = {"conditions": [{"type": type_, "status": "True"} for type_ in conditions]}
    return {**config("migrate", version), "apiVersion": "batch/v1", "kind": "Job", "status": status}


@pytest.mark.parametrize("by", ["event", "list"])
async def test_a_finished_job_is_known_to_have_ended_after_its_deletion(by: str) -> None:
    """Its TTL may delete it before a sync sees it; both changes wake the owner."""
    migrate = ObjectKey("batch", "Job", "shop", "migrate")
    place = Place(FakeWatch([_job(1)]))
    async with place.running():
        await place.object_cache.ensure([(JOBS, "shop")])
        assert place.object_cache.finish(JOBS, migrate) is None
        place.watch.put(_job(2, "Complete"))
        await place.until(lambda: place.object_cache.finish(JOBS, migrate) is Finish.COMPLETE)
        if by == "event":
            place.watch.delete(_job(3, "Complete"))
        else:
            place.watch.change_unseen(deleted=[_job(3)])
            place.watch.forget_history()
        await place.until(lambda: place.object_cache.get(JOBS, migrate) is None)
        assert place.object_cache.finish(JOBS, migrate) is Finish.COMPLETE
        place.watch.put(_job(9))
        await place.until(lambda: place.object_cache.finish(JOBS, migrate) is None)
