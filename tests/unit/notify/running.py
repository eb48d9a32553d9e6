"""A running notifier that sends messages over loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.fakes.cluster import FakeCluster

from nopea import tasks
from nopea.core.api.tenancy import LEAST, TenancyPolicy
from nopea.core.git.networks import Networks
from nopea.core.git.source import Remote
from nopea.core.objects import RepoKey
from nopea.kube.events import EventRecorder
from nopea.notify.http import HttpPoster
from nopea.notify.notifier import Notifier
from nopea.settings import NotifySettings


@asynccontextmanager
async def running_notifier(
    settings: NotifySettings,
    *,
    remotes: dict[RepoKey, Remote] | None = None,
    tenants: Networks = Networks.ANY,
    cluster: FakeCluster | None = None,
    policy: TenancyPolicy = LEAST,
) -> AsyncIterator[Notifier]:
    """Run a notifier; at the end it delivers the waiting messages, and its Events."""
    client = (cluster or FakeCluster()).client
    events = EventRecorder(client)
    async with HttpPoster() as poster, HttpPoster(tenants) as for_tenants:
        notifier = Notifier(
            settings,
            poster.post,
            post_tenant=for_tenants.post,
            remote_of=(remotes or {}).get,
            client=client,
            events=events,
            policy=policy,
        )
        running = tasks.spawn(notifier.run(), name="notifier")
        recording = tasks.spawn(events.run(), name="events")
        await asyncio.sleep(0)
        try:
            yield notifier
            await notifier.close(10)
            await running
            events.stop()
            await recording
        finally:
            await tasks.end(running)
            await tasks.end(recording)
