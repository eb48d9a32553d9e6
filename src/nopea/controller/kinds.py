"""Follows CustomResourceDefinitions and wakes the workers that wait for a kind once it is served.

It decides nothing about repositories, and it never reads a definition: what is served is asked of discovery.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

from nopea import log_events
from nopea.core.objects import Resource
from nopea.kube.client import KubeClient
from nopea.kube.discovery import LOOKS_AFTER_SECONDS, Discovery
from nopea.kube.errors import ApiError
from nopea.kube.kinds import DEFINITIONS
from nopea.kube.requests import Selection
from nopea.kube.watch import Changed, Deleted, Synced, list_and_watch
from nopea.logs import Log

log = Log(__name__)


async def follow_kinds(client: KubeClient, discovery: Discovery, *, wake: Callable[[], None]) -> None:
    """Keep discovery up to date until cancelled; `wake` is called each time that other kinds are served."""
    changed = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(_follow_definitions(client, discovery, changed), name="definitions watch")
        group.create_task(_follow_served(discovery, changed, wake), name="served kinds")


async def _follow_definitions(client: KubeClient, discovery: Discovery, changed: asyncio.Event) -> None:
    known: set[str] = set()
    events = list_and_watch(client, DEFINITIONS, Selection(metadata_only=True))
    async with aclosing(events):
        async for event in events:
            match event:
                case Synced(objects):
                    known = {live.meta.name for live in objects}
                case Changed(live):
                    known.add(live.meta.name)
                case Deleted(live):
                    known.discard(live.meta.name)
            discovery.note_definitions(known)
            discovery.invalidate()
            changed.set()


async def _follow_served(discovery: Discovery, changed: asyncio.Event, wake: Callable[[], None]) -> None:
    served: frozenset[Resource] | None = None
    while True:
        await changed.wait()
        changed.clear()
        for pause in LOOKS_AFTER_SECONDS:
            await asyncio.sleep(pause)
            discovery.invalidate()
            try:
                now = frozenset(await discovery.all())
            except ApiError as error:
                log.write(log_events.discovery_failed, error=str(error))
                continue
            if now != served:
                served = now
                wake()
            if changed.is_set():
                break  # look from the beginning for what came last
