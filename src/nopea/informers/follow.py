"""Which kinds have an informer: those with objects of ours, for as long as something of them is applied.

Asks discovery once at the start; reconciliations ask for their kinds themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

from nopea import log_events
from nopea.core.objects import GroupKind
from nopea.informers.object_cache import ObjectCache
from nopea.kube.discovery import Discovery
from nopea.kube.errors import ApiError
from nopea.logs import Log

log = Log(__name__)

RETIRE_SECONDS = 60.0


async def follow_objects(
    object_cache: ObjectCache, discovery: Discovery, applied_kinds: Callable[[], Collection[GroupKind]]
) -> None:
    """Run the watches until cancelled: start those of kinds with objects of ours, end those nobody needs."""
    async with asyncio.TaskGroup() as group:
        group.create_task(object_cache.run(), name="watches")
        group.create_task(_sweep(object_cache, discovery), name="sweep of kinds")
        group.create_task(_retire(object_cache, applied_kinds), name="retiring of watches")


async def _sweep(object_cache: ObjectCache, discovery: Discovery) -> None:
    try:
        resources = await discovery.all()
    except ApiError as error:
        log.write(log_events.unrecorded_objects_not_searched, error=str(error))
        return
    await object_cache.sweep(resources)


async def _retire(object_cache: ObjectCache, applied_kinds: Callable[[], Collection[GroupKind]]) -> None:
    """Stop watching kinds of which nothing is applied any more."""
    while True:
        await asyncio.sleep(RETIRE_SECONDS)
        object_cache.retire(applied_kinds())
