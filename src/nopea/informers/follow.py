"""Which kinds have an informer: those with objects of ours, for as long as something of them is applied.

Asks discovery once at the start; reconciliations ask for their kinds themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

from nopea.core.objects import GroupKind
from nopea.informers.object_cache import LiveIndex
from nopea.kube.discovery import Discovery
from nopea.kube.errors import ApiError
from nopea.logs import get_log

log = get_log(__name__)

RETIRE_SECONDS = 60.0


async def follow_objects(
    index: LiveIndex, discovery: Discovery, applied_kinds: Callable[[], Collection[GroupKind]]
) -> None:
    """Run the watches until cancelled: start those of kinds with objects of ours, end those nobody needs."""
    async with asyncio.TaskGroup() as group:
        group.create_task(index.run(), name="watches")
        group.create_task(_sweep(index, discovery), name="sweep of kinds")
        group.create_task(_retire(index, applied_kinds), name="retiring of watches")


async def _sweep(index: LiveIndex, discovery: Discovery) -> None:
    try:
        resources = await discovery.all()
    except ApiError as error:
        log.warning("kinds not swept", error=str(error))
        return
    await index.sweep(resources)


async def _retire(index: LiveIndex, applied_kinds: Callable[[], Collection[GroupKind]]) -> None:
    """Stop watching kinds of which nothing is applied any more."""
    while True:
        await asyncio.sleep(RETIRE_SECONDS)
        index.retire(applied_kinds())
