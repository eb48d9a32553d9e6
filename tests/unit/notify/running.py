"""A running notifier that sends messages over loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nopea import tasks
from nopea.core.git.networks import Networks
from nopea.core.git.source import Remote
from nopea.core.objects import RepoKey
from nopea.notify.http import HttpPoster
from nopea.notify.notifier import Notifier
from nopea.settings import NotifySettings


@asynccontextmanager
async def running_notifier(
    settings: NotifySettings,
    *,
    remotes: dict[RepoKey, Remote] | None = None,
    tenants: Networks = Networks.ANY,
) -> AsyncIterator[Notifier]:
    """Run a notifier; at the end it delivers the waiting messages."""
    async with HttpPoster() as poster, HttpPoster(tenants) as for_tenants:
        notifier = Notifier(
            settings, poster.post, post_status=for_tenants.post, remote_of=(remotes or {}).get
        )
        running = tasks.spawn(notifier.run(), name="notifier")
        await asyncio.sleep(0)
        try:
            yield notifier
            await notifier.close(10)
            await running
        finally:
            await tasks.end(running)
