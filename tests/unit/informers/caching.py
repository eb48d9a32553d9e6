"""An object cache with a fake watch, and the ConfigMaps in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from tests.fakes.samples import NOW
from tests.fakes.watch import FakeWatch

from nopea.core.health.assess import assess
from nopea.core.objects import ObjectKey, Resource
from nopea.core.plan.model import ObservedObject
from nopea.informers.object_cache import ObjectCache

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
        self.deleted: list[tuple[str, str]] = []
        """Names and uids of objects that were told as gone or terminating."""
        self.object_cache = ObjectCache(
            watch.client,
            wake=self._told.append,
            deleted=lambda key, uid: self.deleted.append((key.name, uid)),
        )

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
