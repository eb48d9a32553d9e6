"""All outboxes of the process and the connections they share: created, run, flushed and closed together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Self

from nopea import tasks
from nopea.core.git.networks import Networks
from nopea.core.notify.delivery import DeliveryPolicy
from nopea.notify.http import HttpPoster, Post
from nopea.notify.outbox import Outbox


class Outboxes:
    """Connections are opened on entering and closed on leaving; add outboxes before `start`."""

    def __init__(self, *, tenants: Networks = Networks.ANY) -> None:
        self._poster = HttpPoster()
        self._for_tenants = HttpPoster(tenants)
        self._outboxes: dict[str, Outbox] = {}

    async def __aenter__(self) -> Self:
        await self._poster.__aenter__()
        await self._for_tenants.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._for_tenants.__aexit__(*exc)
        await self._poster.__aexit__(*exc)

    def add(self, name: str, policy: DeliveryPolicy | None = None) -> Outbox:
        """Create an outbox; `name` is its unique label in logs and metrics."""
        if name in self._outboxes:
            raise ValueError(f"there is already an outbox {name}")
        made = Outbox(name, self._poster.post, policy=policy)
        self._outboxes[name] = made
        return made

    @property
    def post(self) -> Post:
        """Sends over the shared connections, for callers with their own queues."""
        return self._poster.post

    @property
    def post_for_tenant(self) -> Post:
        """Sends to a host that a GitRepository names: only where `tenants` allows it."""
        return self._for_tenants.post

    @property
    def outboxes(self) -> Sequence[Outbox]:
        """All outboxes, in the order in which they were added."""
        return tuple(self._outboxes.values())

    def start(self) -> dict[str, asyncio.Task[None]]:
        """Start delivering; the caller owns the tasks, which end after `close` and not before."""
        return {
            f"outbox {name}": tasks.spawn(outbox.run(), name=f"outbox {name}")
            for name, outbox in self._outboxes.items()
        }

    async def close(self, seconds: float) -> None:
        """Deliver the queued messages of all sinks in parallel, within `seconds`."""
        async with asyncio.TaskGroup() as group:
            for name, outbox in self._outboxes.items():
                group.create_task(outbox.close(seconds), name=f"closing of outbox {name}")
