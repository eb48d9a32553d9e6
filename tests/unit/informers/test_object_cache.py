"""What the object cache contains and which owners it wakes, with a fake watch."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.fakes.watch import FakeWatch
from tests.unit.informers.caching import MAPS, OTHERS, WEB, Place, config, following, key, observed

from nopea.core.objects import ObjectKey, Resource
from nopea.core.plan.model import Finish
from nopea.informers import object_cache as live_index
from nopea.informers.object_cache import FIRST_LIST_SECONDS, OURS, OURS_BRIEFLY, ObjectCache
from nopea.kube.errors import ApiError, ApiFailure, ServerError, TooManyRequestsError, UnreachableError
from nopea.kube.watch import DEFAULT_TIMING

BROKEN = ServerError(ApiFailure(code=500, reason="InternalError", message="the webhook is down"))
BUSY = TooManyRequestsError(ApiFailure(code=429, message="full", retry_after_seconds=1.0))


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


async def test_an_object_that_goes_is_told_with_its_uid() -> None:
    """When it begins to terminate, and when it is gone; a change is not told."""
    async with following(config(), config("b")) as place:
        place.watch.put(config(version=2))
        terminating = config(version=3)
        terminating["metadata"]["deletionTimestamp"] = "2026-11-25T13:11:25Z"
        place.watch.put(terminating)
        await place.arrived(4)
        assert place.deleted == [("a", "u-a")]
        place.watch.delete(config("b", version=5))
        await place.arrived(6)
        assert place.deleted == [("a", "u-a"), ("b", "u-b")]


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


@pytest.mark.looptime
async def test_a_first_list_that_hangs_is_waited_for_once(looptime: Any) -> None:
    """Every sync asks for its kinds, before it observes and before it prunes; only the first one waits."""
    place = Place(FakeWatch([config()]))
    place.watch.hangs = True
    async with place.running():
        for _ in range(5):
            await place.object_cache.ensure([(MAPS, "shop"), (OTHERS, "shop")])

    assert looptime == FIRST_LIST_SECONDS
    assert not place.object_cache.knows(MAPS, "shop")


@pytest.mark.looptime
@pytest.mark.parametrize("error", [UnreachableError("no route"), BROKEN, BUSY])
async def test_a_watch_that_fails_is_believed_for_seconds(error: ApiError, looptime: Any) -> None:
    """Then objects are read one by one, until it works again."""
    del looptime
    async with following(config()) as place:
        place.watch.break_off(error)
        await asyncio.sleep(DEFAULT_TIMING.stale_after - 1)
        assert place.object_cache.knows(MAPS, "shop")
        await asyncio.sleep(2)
        assert not place.object_cache.knows(MAPS, "shop")
        assert place.object_cache.unwatched(WEB) == {key(): MAPS}

        place.watch.refuse = None
        await asyncio.sleep(DEFAULT_TIMING.longest_pause)
        assert place.object_cache.knows(MAPS, "shop")


async def test_a_deletion_that_overtakes_the_answer_of_an_apply_counts() -> None:
    """The apply removed the last finalizer of an object that was being deleted."""
    async with following(config(), config("b")) as place:
        place.watch.delete(config(version=5))
        await place.arrived(6)

        place.object_cache.assume(MAPS, key(), observed(5))

        assert place.version() is None
        assert place.object_cache.owned(WEB) == {key("b"): observed(1, name="b")}


async def test_after_a_restore_of_etcd_the_old_versions_are_the_truth() -> None:
    """A list comes with lower versions than those that are known, and later events with them."""
    async with following(config(version=900), config("b", 901)) as place:
        place.object_cache.assume(MAPS, key("c"), observed(950, name="c"))
        place.watch.change_unseen(
            config(version=7, annotations={"nopea.io/prune": "false"}), deleted=[config("b")]
        )
        place.watch.forget_history()
        await place.until(lambda: place.version() == "7")

        assert place.object_cache.owned(WEB) == {key(): observed(7, prune="false")}
        assert place.told == [WEB]
        place.watch.put(config(version=9))
        await place.arrived(10)
        assert place.object_cache.owned(WEB) == {key(): observed(9)}


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


async def test_a_kind_that_was_never_listed_is_retired(monkeypatch: pytest.MonkeyPatch) -> None:
    """What requests found of it does not keep it: no watch would ever say that it is gone."""
    place = Place(FakeWatch([config()]))
    place.watch.refuse = BROKEN
    async with place.running():
        await place.object_cache.ensure([(MAPS, "shop")])
        place.object_cache.assume(MAPS, key(), observed(1))
        monkeypatch.setattr(live_index, "IDLE_SECONDS", -1.0)
        place.object_cache.retire([MAPS.group_kind])
        assert place.object_cache.owned(WEB) == {key(): observed(1)}

        place.object_cache.retire([])

        assert place.object_cache.owned(WEB) == {}
        assert place.object_cache.statistics().watches == {"working": 0, "failing": 0}


async def test_a_failure_is_told_with_its_place() -> None:
    """A conversion webhook that is down is no missing right; an API server that is away is back soon."""
    for error, told in (
        (BROKEN, {(MAPS, "shop"): "the webhook is down"}),
        (UnreachableError("no route"), {}),
    ):
        place = Place(FakeWatch([config()]))
        place.watch.refuse = error
        async with place.running():
            await place.object_cache.ensure([(MAPS, "shop")])
            assert place.object_cache.refused([key()], tenant="shop") == told


async def test_the_statistics_of_the_cache() -> None:
    """The statistics are objects, watches by state, and lists."""
    async with following(config("a", 1), config("b", 2)) as place:
        counts = place.object_cache.statistics()

    assert counts.objects == 2
    assert counts.watches == {"working": 1, "failing": 0}
    assert counts.lists >= 1


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
