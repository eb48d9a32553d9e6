"""What the live index knows, and whom it tells, over a small watch that the test feeds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from tests.fakes.samples import NOW
from tests.fakes.watch import FakeWatch

from nopea.core.health.assess import assess
from nopea.core.objects import GroupKind, ObjectKey, Resource
from nopea.core.plan.model import ObservedObject
from nopea.informers import object_cache as live_index
from nopea.informers.object_cache import OURS, OURS_BRIEFLY, ObjectCache

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
    """Return the identity of that ConfigMap."""
    return ObjectKey("", "ConfigMap", "shop", name)


def observed(version: int, *, owner: str | None = WEB, name: str = "a", **more: Any) -> ObservedObject:
    """Return what an apply says of that ConfigMap."""
    health = assess(config(name), now=NOW)
    return ObservedObject(owner=owner, resource_version=str(version), uid=f"u-{name}", health=health, **more)


class Place:
    """A running index, what it was fed with, and whom it told."""

    def __init__(self, watch: FakeWatch) -> None:
        self.watch = watch
        self._told: list[str] = []
        self.object_cache = ObjectCache(watch.client, wake=self._told.append)

    @property
    def told(self) -> list[str]:
        """Whom it told since the start, in some order."""
        return sorted(one for one in self._told if one != MARK)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return when it holds; fail after ten seconds."""
        async with asyncio.timeout(10):
            while not holds():  # noqa: ASYNC110 - what is waited for is in the index, which has no event for it
                await asyncio.sleep(0.005)

    async def arrived(self, version: int) -> None:
        """Return when everything that was sent has been taken: what comes last is a mark."""
        self.watch.put(config("mark", version, owner=MARK))
        await self.until(lambda: self.version("mark") == str(version))

    def version(self, name: str = "a") -> str | None:
        """Return the version that is known of that ConfigMap."""
        found = self.object_cache.get(MAPS, key(name))
        return found.resource_version if found else None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow what is asked for until the block ends."""
        task = asyncio.get_running_loop().create_task(self.object_cache.run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def forget_told(self) -> None:
        """Count from here."""
        self._told.clear()


@asynccontextmanager
async def following(*objects: dict[str, Any]) -> AsyncIterator[Place]:
    """Run an index over these ConfigMaps until the block ends; the first list has been told by then."""
    place = Place(FakeWatch(objects))
    async with place.running():
        await place.object_cache.ensure([MAPS])
        await place.until(lambda: place.version(objects[0]["metadata"]["name"]) is not None)
        place.forget_told()
        yield place


async def test_before_the_first_list_nothing_is_known() -> None:
    """Nothing known is not the same as nothing there."""
    object_cache = ObjectCache(FakeWatch([config()]).client)
    assert not object_cache.knows(MAPS)
    assert not object_cache.covers(MAPS.group_kind)
    assert object_cache.get(MAPS, key()) is None
    assert object_cache.owned(WEB) == {}


async def test_what_is_listed_is_known() -> None:
    """By object, by owner and by kind; only what carries our label was asked for."""
    async with following(config(), config("b", owner="shop.other")) as place:
        assert place.object_cache.knows(MAPS)
        assert place.object_cache.covers(GroupKind("", "ConfigMap"))
        assert not place.object_cache.knows(OTHERS)
        assert not place.object_cache.covers(OTHERS.group_kind)
        assert place.object_cache.get(MAPS, key()) == observed(1)
        assert place.object_cache.owned(WEB) == {key(): observed(1)}
        assert place.object_cache.owned("shop.other") == {key("b"): observed(1, owner="shop.other", name="b")}
        assert place.watch.selections == [OURS]


async def test_a_kind_is_followed_once() -> None:
    """However often it is asked for."""
    async with following(config()) as place:
        await place.object_cache.ensure([MAPS, MAPS])
        await place.arrived(2)
        assert place.watch.lists == 1


async def test_a_change_is_taken_and_told() -> None:
    """A person's mark, for example."""
    async with following(config()) as place:
        place.watch.put(config(version=2, annotations={"nopea.io/prune": "false"}))
        await place.arrived(3)
        assert place.object_cache.get(MAPS, key()) == observed(2, prune="false")
        assert place.told == [WEB]


async def test_what_a_plan_would_answer_alike_is_not_told() -> None:
    """A new version with nothing of ours changed is a controller's status, by the thousand."""
    async with following(config()) as place:
        place.watch.put(config(version=2, annotations={"acme.example/seen": "1"}))
        await place.arrived(3)
        assert place.version() == "2"
        assert place.told == []


async def test_a_deletion_is_taken_and_told() -> None:
    """The object is gone, and its owner is to look."""
    async with following(config(), config("b")) as place:
        place.watch.delete(config(version=2))
        await place.arrived(3)
        assert place.object_cache.owned(WEB) == {key("b"): observed(1, name="b")}
        assert place.told == [WEB]


async def test_a_label_that_is_taken_off_or_given_away_is_told() -> None:
    """The old owner loses it, a new one gets it: both look."""
    async with following(config(), config("b")) as place:
        place.watch.put(config(version=2, owner="shop.other"))
        place.watch.put(config("b", version=3, owner=None))
        await place.arrived(4)
        assert place.told == ["shop.other", WEB, WEB]
        assert place.object_cache.owned(WEB) == {}
        assert place.object_cache.get(MAPS, key("b")) is None
        assert place.object_cache.owned("shop.other") == {key(): observed(2, owner="shop.other")}


async def test_what_an_apply_returned_is_known_at_once_and_told_to_nobody() -> None:
    """The watch that says the same later is no news, and one that is behind does not undo it."""
    async with following(config()) as place:
        place.object_cache.assume(MAPS, key(), observed(10, projection="p1"))
        assert place.version() == "10"
        place.watch.put(config(version=9, annotations={"nopea.io/prune": "false"}))
        await place.arrived(11)
        assert place.object_cache.get(MAPS, key()) == observed(10, projection="p1")
        assert place.told == []


async def test_an_object_that_was_read_under_other_rules_replaces_the_known_one() -> None:
    """Its version is the same, its projection is not; a later event of the watch still counts."""
    async with following(config()) as place:
        place.object_cache.assume(MAPS, key(), observed(1, projection="p2"))
        assert place.object_cache.get(MAPS, key()) == observed(1, projection="p2")
        place.watch.put(config(version=2))
        await place.arrived(3)
        assert place.object_cache.get(MAPS, key()) == observed(2)


async def test_a_first_list_that_fails_ends_the_wait() -> None:
    """Its objects are read one by one then; the list is tried again in the background."""
    place = Place(FakeWatch([config()]))
    place.watch.down = True
    async with place.running():
        async with asyncio.timeout(5):
            await place.object_cache.ensure([MAPS])
        assert not place.object_cache.knows(MAPS)
        place.watch.down = False
        await place.until(lambda: place.object_cache.knows(MAPS))


async def test_versions_are_numbers() -> None:
    """10 is newer than 9."""
    async with following(config(version=9)) as place:
        place.object_cache.assume(MAPS, key(), observed(10))
        assert place.version() == "10"
        place.object_cache.assume(MAPS, key(), observed(9))
        assert place.version() == "10"


async def test_a_deletion_that_is_behind_does_not_undo_an_apply() -> None:
    """The object was deleted and made again, and the watch has only come to the deletion."""
    async with following(config()) as place:
        place.object_cache.assume(MAPS, key(), observed(10))
        place.watch.delete(config(version=9))
        await place.arrived(11)
        assert place.version() == "10"
        place.watch.delete(config(version=12))
        await place.arrived(13)
        assert place.version() is None


async def test_what_was_deleted_is_gone_at_once() -> None:
    """Only that object, of that kind."""
    async with following(config(), config("b")) as place:
        place.object_cache.assume_gone(ObjectKey("acme.example", "ConfigMap", "shop", "b"))
        place.object_cache.assume_gone(key())
        assert place.object_cache.owned(WEB) == {key("b"): observed(1, name="b")}


async def test_a_kind_that_is_not_followed_is_not_assumed() -> None:
    """One object of it would be taken for all of them."""
    object_cache = ObjectCache(FakeWatch().client)
    object_cache.assume(OTHERS, ObjectKey("acme.example", "Widget", "shop", "w"), observed(1))
    assert object_cache.owned(WEB) == {}


async def test_a_new_list_tells_what_was_missed() -> None:
    """What is gone, what is new and what has changed meanwhile; not what stayed as it was."""
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


async def test_a_sweep_follows_what_has_objects_of_ours() -> None:
    """A crash may have left some that no inventory names; what cannot be listed is passed over."""
    place = Place(FakeWatch([config()]))
    object_cache, watch = place.object_cache, place.watch
    await object_cache.sweep([OTHERS])
    assert watch.lists == 0  # it cannot be watched
    watch.down = True
    await object_cache.sweep([MAPS])
    watch.down = False
    async with place.running():
        await object_cache.sweep([MAPS, MAPS])
        await place.until(lambda: object_cache.knows(MAPS))
        await place.until(lambda: place.told == [WEB])
    assert watch.selections == [OURS_BRIEFLY, OURS_BRIEFLY, OURS]


async def test_a_kind_without_objects_of_ours_is_not_followed() -> None:
    """There would be a watch for every kind that is served."""
    place = Place(FakeWatch())
    async with place.running():
        await place.object_cache.sweep([MAPS])
        await place.object_cache.ensure([])
        assert place.watch.selections == [OURS_BRIEFLY]
        assert not place.object_cache.knows(MAPS)


async def test_a_kind_that_nobody_needs_any_more_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """No object of it is live, none was applied and nobody asked lately; each of these alone keeps it."""
    async with following(config()) as place:
        object_cache = place.object_cache
        object_cache.retire([])
        place.watch.delete(config(version=2))
        await place.until(lambda: place.version() is None)
        object_cache.retire([])
        assert object_cache.knows(MAPS)
        monkeypatch.setattr(live_index, "IDLE_SECONDS", -1.0)
        object_cache.retire([MAPS.group_kind])
        assert object_cache.knows(MAPS)
        object_cache.assume(MAPS, key(), observed(3))
        object_cache.retire([])
        assert object_cache.knows(MAPS)
        object_cache.assume_gone(key())
        object_cache.retire([])
        assert not object_cache.knows(MAPS)
        await object_cache.ensure([MAPS])
        assert object_cache.knows(MAPS)


async def test_it_counts_what_it_follows() -> None:
    """Objects, watches by state, and whole lists."""
    async with following(config("a", 1), config("b", 2)) as place:
        counts = place.object_cache.statistics()

    assert counts.objects == 2
    assert counts.watches == {"working": 1, "failing": 0}
    assert counts.lists >= 1
