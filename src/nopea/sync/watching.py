"""Which kinds the live index watches: those that have objects of ours, for as long as they are applied.

Asks discovery once at the start; passes ask for their kinds themselves.
"""

from __future__ import annotations

import asyncio

from nopea.kube.errors import ApiError
from nopea.logs import get_log
from nopea.sync.pipeline import Services

log = get_log(__name__)

RETIRE_SECONDS = 60.0


async def follow_objects(services: Services) -> None:
    """Run the watches, begin those that nobody asked for yet, and end those that nobody needs; for ever."""
    async with asyncio.TaskGroup() as group:
        group.create_task(services.index.run(), name="watches")
        group.create_task(_sweep(services), name="sweep of kinds")
        group.create_task(_retire(services), name="retiring of watches")


async def _sweep(services: Services) -> None:
    try:
        resources = await services.discovery.all()
    except ApiError as error:
        log.warning("kinds not swept", error=str(error))
        return
    await services.index.sweep(resources)


async def _retire(services: Services) -> None:
    """End the watches of kinds that nothing is applied of any more."""
    while True:
        await asyncio.sleep(RETIRE_SECONDS)
        applied = (state.applied for state in services.cache.states.values())
        services.index.retire({key.group_kind for keys in applied for key in keys})
