"""Which kinds have an informer, and for how long; in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.fakes.cluster import FakeCluster
from tests.fakes.object_store import CONFIG_MAPS

from nopea.core.objects import GroupKind
from nopea.informers.follow import RETIRE_SECONDS, follow_objects
from nopea.informers.object_cache import IDLE_SECONDS, ObjectCache
from nopea.kube.discovery import Discovery
from nopea.tasks import end, spawn

pytestmark = pytest.mark.looptime

OURS = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "a", "namespace": "shop", "labels": {"nopea.io/repository": "shop.web"}},
}


@asynccontextmanager
async def following(cluster: FakeCluster, applied: set[GroupKind]) -> AsyncIterator[ObjectCache]:
    """Follow objects; `applied` are the kinds that repositories have applied."""
    cache = ObjectCache(cluster.client)
    running = spawn(follow_objects(cache, Discovery(cluster.client), lambda: applied), name="follow")
    try:
        await asyncio.sleep(1)
        yield cache
    finally:
        await end(running)


async def test_kinds_with_objects_of_ours_are_followed_from_the_start() -> None:
    """After a crash, an object that was applied may not be in any inventory."""
    cluster = FakeCluster()
    cluster.create(OURS)

    async with following(cluster, set()) as cache:
        assert cache.knows(CONFIG_MAPS, "shop")
        assert [key.name for key in cache.owned("shop.web")] == ["a"]
        assert cache.statistics().watches["working"] == 1


async def test_an_unused_kind_is_no_longer_followed() -> None:
    """A kind without live and applied objects is dropped if it was not requested lately."""
    cluster = FakeCluster()
    created = cluster.create(OURS)
    applied: set[GroupKind] = set()
    async with following(cluster, applied) as cache:
        del created
        for key in [key for key in cluster.objects if key.kind == "ConfigMap"]:
            cluster.delete(key)
        applied.add(CONFIG_MAPS.group_kind)
        await asyncio.sleep(IDLE_SECONDS + 2 * RETIRE_SECONDS)
        assert cache.knows(CONFIG_MAPS, "shop")

        applied.clear()
        await asyncio.sleep(2 * RETIRE_SECONDS)

        assert not cache.knows(CONFIG_MAPS, "shop")
        assert cache.statistics().watches["working"] == 0


async def test_following_continues_if_the_api_server_is_down() -> None:
    """The search for kinds is given up; reconciliations request their kinds themselves."""
    cluster = FakeCluster()
    cluster.create(OURS)
    cluster.stop()

    async with following(cluster, set()) as cache:
        cluster.down = False
        await cache.ensure([(CONFIG_MAPS, "shop")])

        assert cache.knows(CONFIG_MAPS, "shop")
