"""Sends notifications and commit statuses: takes transitions, applies the rate limit, fills the outboxes.

`core/notify/` decides: `rules.py` what is sent, `rate_limit.py` how often, `formats.py` in which format.
Never delays a reconciliation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from nopea import log_events
from nopea.core.git.source import Remote
from nopea.core.notify.address import ReceiverAddress
from nopea.core.notify.commit_status import CommitStatus
from nopea.core.notify.delivery import DeliveryPolicy
from nopea.core.notify.formats import SIGNATURE_HEADER, json_body, notification_id, signature, slack_body
from nopea.core.notify.notification import Notification
from nopea.core.notify.rate_limit import RateLimit
from nopea.core.notify.rules import notifications_of
from nopea.core.objects import RepoKey
from nopea.core.status.transition import Transition
from nopea.logs import Log
from nopea.notify.commit_status import CommitStatuses
from nopea.notify.http import Message, Post
from nopea.notify.outbox import Outbox
from nopea.settings import NotifySettings

log = Log(__name__)

POLICY: Final = DeliveryPolicy(most_messages=500)
JSON: Final = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class _Channel:
    """One address, its format and its queue."""

    address: ReceiverAddress
    outbox: Outbox
    is_slack: bool


class Notifier:
    """Receives the transitions of all repositories; `run` owns all queues.

    `post` sends to the addresses of the settings, `post_status` to the hosts that GitRepositories name.
    """

    def __init__(
        self,
        settings: NotifySettings,
        post: Post,
        *,
        remote_of: Callable[[RepoKey], Remote | None],
        post_status: Post,
    ) -> None:
        self._settings = settings
        self._limit = RateLimit[Notification | CommitStatus](per_minute=settings.per_minute)
        self._channels = (
            *_channels("notify", settings.json_urls, post, is_slack=False),
            *_channels("slack", settings.slack_urls, post, is_slack=True),
        )
        self._statuses: CommitStatuses | None = None
        if settings.commit_status:
            context = f"nopea/{settings.cluster}" if settings.cluster else "nopea"
            self._statuses = CommitStatuses(
                post_status, remote_of=remote_of, context=context, target_url=settings.target_url
            )
        self._changed = asyncio.Event()
        self._closing = False

    @property
    def outboxes(self) -> tuple[Outbox, ...]:
        """The current queues, for the metrics."""
        own = tuple(channel.outbox for channel in self._channels)
        return own if self._statuses is None else (*own, *self._statuses.outboxes)

    def on_transition(self, transition: Transition) -> None:
        """Offer what a transition causes to the rate limit. Never blocks."""
        now = asyncio.get_running_loop().time()
        if self._channels:
            for notification in notifications_of(transition):
                self._limit.offer(notification, now=now)
        if self._statuses is not None:
            status = self._statuses.status_of(transition)
            if status is not None:
                self._limit.offer(status, now=now)
        self._changed.set()

    async def run(self) -> None:
        """Deliver until `close`. Run it once."""
        async with asyncio.TaskGroup() as group:
            for channel in self._channels:
                group.create_task(channel.outbox.run(), name=f"outbox {channel.outbox.name}")
            if self._statuses is not None:
                group.create_task(self._statuses.run(), name="commit statuses")
            group.create_task(self._release_all(), name="rate limit")

    async def close(self, seconds: float) -> None:
        """Deliver what the rate limit releases now, within `seconds`, and let `run` end."""
        self._closing = True
        self._release()
        self._changed.set()
        if self._limit.waiting:
            log.write(log_events.notifications_dropped, count=self._limit.waiting)
        await asyncio.sleep(0)  # a queue that was created just now starts before it is closed
        closing = [channel.outbox.close(seconds) for channel in self._channels]
        if self._statuses is not None:
            closing.append(self._statuses.close(seconds))
        await asyncio.gather(*closing)

    async def _release_all(self) -> None:
        """Release what is due, whenever something is offered or becomes due."""
        loop = asyncio.get_running_loop()
        while not self._closing:
            self._release()
            due = self._limit.next_at(now=loop.time())
            try:
                async with asyncio.timeout_at(due):
                    await self._changed.wait()
            except TimeoutError:
                continue
            self._changed.clear()

    def _release(self) -> None:
        for released in self._limit.take(now=asyncio.get_running_loop().time()):
            try:
                if isinstance(released.item, Notification):
                    self._send(released.item, held_back=released.held_back)
                elif self._statuses is not None:
                    self._statuses.send(released.item)
            except Exception as error:  # noqa: BLE001 - a bug in one message must not end the process
                log.crash(log_events.message_not_made, error, repo=released.item.repository)

    def _send(self, notification: Notification, *, held_back: int) -> None:
        log.write(
            log_events.notification_queued,
            repo=notification.repository,
            kind=notification.kind,
            held_back=held_back,
        )
        for channel in self._channels:
            make_body = slack_body if channel.is_slack else json_body
            body = make_body(notification, held_back=held_back, cluster=self._settings.cluster)
            headers = dict(JSON)
            if self._settings.secret and not channel.is_slack:
                headers[SIGNATURE_HEADER] = signature(self._settings.secret, body)
            channel.outbox.offer(
                Message(
                    id=notification_id(notification),
                    namespace=notification.namespace,
                    address=channel.address,
                    body=body,
                    headers=headers,
                )
            )


def _channels(
    kind: str, urls: Sequence[ReceiverAddress], post: Post, *, is_slack: bool
) -> tuple[_Channel, ...]:
    """Return one queue for each address; names have numbers, because an address may be a secret."""
    return tuple(
        _Channel(url, Outbox(f"{kind}-{number}", post, policy=POLICY), is_slack)
        for number, url in enumerate(urls, start=1)
    )
