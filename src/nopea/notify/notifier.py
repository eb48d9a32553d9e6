"""Sends notifications and commit statuses: takes transitions, and calls the routes when they are due.

`core/notify/` decides: `rules.py` and `outages.py` what is sent, `rate_limit.py` how often, `formats.py` in
which format. `routes.py` fills the outboxes. Never delays a reconciliation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from nopea import log_events
from nopea.core.api.notify import ReceiverType
from nopea.core.api.tenancy import TenancyPolicy
from nopea.core.git.source import Remote
from nopea.core.notify.address import ReceiverAddress
from nopea.core.notify.alerts import LIFE_SECONDS
from nopea.core.notify.delivery import DeliveryPolicy
from nopea.core.notify.lane import NotifyFilter
from nopea.core.objects import RepoKey
from nopea.core.status.report import Result
from nopea.core.status.transition import Transition
from nopea.kube.client import KubeClient
from nopea.kube.events import EventRecorder
from nopea.logs import Log
from nopea.notify.commit_status import CommitStatuses
from nopea.notify.http import Post
from nopea.notify.outbox import Outbox
from nopea.notify.routes import AlertRoute, Channel, MessageRoute, Route
from nopea.notify.tenants import TenantReceivers
from nopea.settings import NotifySettings

log = Log(__name__)

POLICY: Final = DeliveryPolicy(most_messages=500)
ALERT_POLICY: Final = DeliveryPolicy(most_messages=200, life_seconds=LIFE_SECONDS)


class Notifier:
    """Receives the transitions of all repositories; `run` owns all queues.

    `post` sends to the addresses of the settings, `post_tenant` to the hosts that GitRepositories name.
    """

    def __init__(
        self,
        settings: NotifySettings,
        post: Post,
        *,
        remote_of: Callable[[RepoKey], Remote | None],
        post_tenant: Post,
        client: KubeClient,
        events: EventRecorder,
        policy: TenancyPolicy,
    ) -> None:
        self._statuses: CommitStatuses | None = None
        if settings.commit_status:
            context = f"nopea/{settings.cluster}" if settings.cluster else "nopea"
            self._statuses = CommitStatuses(
                post_tenant, remote_of=remote_of, context=context, target_url=settings.target_url
            )
        self._routes = _process_routes(settings, post, self._statuses)
        self._tenants = TenantReceivers(
            settings, client=client, events=events, post=post_tenant, policy=policy, spawn=self._spawn
        )
        self._due: dict[Route, float] = {}
        self._known: set[RepoKey] = set()
        self._group: asyncio.TaskGroup | None = None
        self._late: list[tuple[Coroutine[Any, Any, None], str]] = []
        self._changed = asyncio.Event()
        self._closing = False

    @property
    def outboxes(self) -> tuple[Outbox, ...]:
        """The current queues, for the metrics."""
        statuses = () if self._statuses is None else self._statuses.outboxes
        return (*self._own(), *self._tenants.outboxes, *statuses)

    def on_transition(self, transition: Transition) -> None:
        """Offer a transition to all routes that it concerns. Never blocks."""
        key, now = transition.repository.key, asyncio.get_running_loop().time()
        is_first = key not in self._known
        self._known.add(key)
        for route in (*self._routes, *self._tenants.routes_of(transition)):
            route.observe(transition, now=now, is_first=is_first)
            self._due[route] = now
        if transition.report is not None and transition.report.result is Result.DELETED:
            self._release()  # what is said about its end, while its receivers are known
            self._tenants.gone(key)
            self._known.discard(key)
        self._changed.set()

    async def run(self) -> None:
        """Deliver until `close`. Run it once."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for outbox in self._own():
                group.create_task(outbox.run(), name=f"outbox {outbox.name}")
            for late, name in self._late:
                group.create_task(late, name=name)
            self._late.clear()
            if self._statuses is not None:
                group.create_task(self._statuses.run(), name="commit statuses")
            group.create_task(self._release_all(), name="routes of notifications")

    async def close(self, seconds: float) -> None:
        """Deliver what the rate limit releases now, within `seconds`, and let `run` end."""
        self._closing = True
        self._release()
        self._changed.set()
        waiting = sum(route.waiting for route in {*self._routes, *self._due})
        if waiting:
            log.write(log_events.notifications_dropped, count=waiting)
        await asyncio.sleep(0)  # a queue that was created just now starts before it is closed
        closing = [outbox.close(seconds) for outbox in (*self._own(), *self._tenants.outboxes)]
        if self._statuses is not None:
            closing.append(self._statuses.close(seconds))
        await asyncio.gather(*closing)

    def _own(self) -> list[Outbox]:
        return [channel.outbox for route in self._routes for channel in route.channels]

    def _spawn(self, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        if self._group is None:
            self._late.append((coroutine, name))
        else:
            self._group.create_task(coroutine, name=name)

    async def _release_all(self) -> None:
        """Call each route when something was offered to it, and when it asked for it."""
        while not self._closing:
            self._release()
            try:
                async with asyncio.timeout_at(min(self._due.values(), default=None)):
                    await self._changed.wait()
            except TimeoutError:
                continue
            self._changed.clear()

    def _release(self) -> None:
        now = asyncio.get_running_loop().time()
        for route in [route for route, due in self._due.items() if due <= now]:
            following = route.release(now=now)
            if following is None:
                del self._due[route]
            else:
                self._due[route] = following


def _process_routes(
    settings: NotifySettings, post: Post, statuses: CommitStatuses | None
) -> tuple[Route, ...]:
    """Return the routes of the settings: one for all messages, and one for each Alertmanager."""
    wanted = NotifyFilter(kinds=settings.kinds, severity=settings.severity)
    messages = MessageRoute(
        (
            *_channels("notify", ReceiverType.WEBHOOK, settings.json_urls, post, settings),
            *_channels("slack", ReceiverType.SLACK, settings.slack_urls, post, settings),
            *_channels("teams", ReceiverType.TEAMS, settings.teams_urls, post, settings),
            *_channels("discord", ReceiverType.DISCORD, settings.discord_urls, post, settings),
        ),
        wanted,
        per_minute=settings.per_minute,
        cluster=settings.cluster,
        hold_seconds=settings.after_seconds,
        status_of=statuses.status_of if statuses is not None else None,
        send_status=statuses.send if statuses is not None else None,
    )
    managers = _channels(
        "alertmanager", ReceiverType.ALERTMANAGER, settings.alertmanager_urls, post, settings
    )
    return (
        messages,
        *(
            AlertRoute(channel, wanted, cluster=settings.cluster, hold_seconds=settings.after_seconds)
            for channel in managers
        ),
    )


def _channels(
    kind: str,
    type_: ReceiverType,
    urls: Sequence[ReceiverAddress],
    post: Post,
    settings: NotifySettings,
) -> tuple[Channel, ...]:
    """Return one queue for each address; names have numbers, because an address may be a secret."""
    policy = ALERT_POLICY if type_ is ReceiverType.ALERTMANAGER else POLICY
    return tuple(
        Channel(type_, url, Outbox(f"{kind}-{number}", post, policy=policy), settings.secret)
        for number, url in enumerate(urls, start=1)
    )
