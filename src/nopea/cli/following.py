"""Follow objects by watches, for commands with --watch: the API server sends each change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager

from nopea import tasks
from nopea.cli.cluster import CommandError
from nopea.cli.output.messages import print_hint
from nopea.core.objects import ObjectKey, Resource
from nopea.kube.client import KubeClient
from nopea.kube.live import LiveObject
from nopea.kube.requests import Selection
from nopea.kube.watch import Changed, Deleted, Synced, WatchHealth, list_and_watch

QUIET_SECONDS = 0.1
"""Changes that come together are shown together."""
CHECK_SECONDS = 1.0
"""How often it is checked whether the watches still work; that asks the server for nothing."""


class Followed:
    """The objects of one kind as they are now."""

    def __init__(self, resource: Resource, selection: Selection) -> None:
        self.resource, self.selection = resource, selection
        self.objects: dict[ObjectKey, LiveObject] = {}
        self.health = WatchHealth()

    async def run(self, client: KubeClient, changed: asyncio.Event) -> None:
        """Keep `objects` up to date, and set `changed` with each change."""
        events = list_and_watch(client, self.resource, self.selection, health=self.health)
        async with aclosing(events):
            async for event in events:
                match event:
                    case Synced(objects=objects):
                        self.objects = {live.key: live for live in objects}
                    case Changed(object=live):
                        self.objects[live.key] = live
                    case Deleted(object=live):
                        self.objects.pop(live.key, None)
                changed.set()


class Following:
    """Several watches of one command."""

    def __init__(self, followed: Sequence[Followed], *, quiet_seconds: float) -> None:
        self._followed, self._quiet_seconds = followed, quiet_seconds
        self._changed = asyncio.Event()
        self._is_told = False

    def start(self, client: KubeClient) -> list[asyncio.Task[None]]:
        """Start the watches; the caller ends the tasks."""
        return [
            tasks.spawn(each.run(client, self._changed), name=f"watch {each.resource}")
            for each in self._followed
        ]

    async def next(self, *, within_seconds: float = float("inf")) -> None:
        """Return after the next change, or after that time.

        Raises ApiError if a watch does not begin, and CommandError if the server refuses it later.
        """
        ends_at = asyncio.get_running_loop().time() + within_seconds
        while True:
            left = ends_at - asyncio.get_running_loop().time()
            if left <= 0:
                return
            try:
                async with asyncio.timeout(min(CHECK_SECONDS, left)):
                    await self._changed.wait()
            except TimeoutError:
                self._check()
                continue
            await asyncio.sleep(self._quiet_seconds)
            self._check()
            if all(each.health.synced for each in self._followed):
                self._changed.clear()
                return

    def _check(self) -> None:
        failed = [each for each in self._followed if each.health.last_error is not None]
        for each in failed:
            error = each.health.last_error
            assert error is not None  # noqa: S101 - chosen above
            if each.health.lists == 0:
                raise error
            if not error.retryable:
                where = f" in {each.selection.namespace}" if each.selection.namespace else ""
                raise CommandError(
                    f"The API server refuses to watch {each.resource.full_plural}{where}: {error.message}",
                    "Without --watch the command shows what is there now.",
                ) from error
        is_old = any(not each.health.is_current for each in self._followed)
        if is_old and not self._is_told:
            print_hint("The API server does not answer; what is shown may be old.")
        self._is_told = is_old


@asynccontextmanager
async def following(
    client: KubeClient, *followed: Followed, quiet_seconds: float = QUIET_SECONDS
) -> AsyncIterator[Following]:
    """Watch until the block ends; changes that come within `quiet_seconds` are one."""
    found = Following(followed, quiet_seconds=quiet_seconds)
    running = found.start(client)
    try:
        yield found
    finally:
        await tasks.end(*running)
