"""Tells people and Git servers what a step means to them: listens, keeps the rate limit, fills outboxes.

Decides nothing: what is told is the rule of `core/notify/rules.py`, how often that of `ratelimit.py` and in
which form that of `view.py` beside it. Never in the way of a pass.
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
from nopea.core.notify.formats import SIGNATURE_HEADER, json_body, notice_id, signature, slack_body
from nopea.core.notify.notification import Notification
from nopea.core.notify.rate_limit import RateLimit
from nopea.core.notify.rules import notices
from nopea.core.objects import RepoKey
from nopea.core.status.transition import Transition
from nopea.logs import Log
from nopea.notify.commit_status import CommitStatuses
from nopea.notify.message import Message, Post
from nopea.notify.outbox import Outbox
from nopea.settings import NotifySettings

log = Log(__name__)

POLICY: Final = DeliveryPolicy(most_messages=500)
JSON: Final = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class _Channel:
    """One address, its form and its queue."""

    address: ReceiverAddress
    outbox: Outbox
    is_slack: bool


class Notifier:
    """The one that passes' steps are told to; `run` owns all queues."""

    def __init__(
        self, settings: NotifySettings, post: Post, *, remote_of: Callable[[RepoKey], Remote | None]
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
                post, remote_of=remote_of, context=context, target_url=settings.target_url
            )
        self._news = asyncio.Event()
        self._closing = False

    @property
    def outboxes(self) -> tuple[Outbox, ...]:
        """The queues of now, for counting."""
        own = tuple(channel.outbox for channel in self._channels)
        return own if self._statuses is None else (*own, *self._statuses.outboxes)

    def listen(self, step: Transition) -> None:
        """Take a step. Returns at once; a publisher's listener."""
        now = asyncio.get_running_loop().time()
        if self._channels:
            for notice in notices(step):
                self._limit.offer(notice, now=now)
        if self._statuses is not None:
            status = self._statuses.status_of(step)
            if status is not None:
                self._limit.offer(status, now=now)
        self._news.set()

    async def run(self) -> None:
        """Deliver until `close`. Run it once."""
        async with asyncio.TaskGroup() as group:
            for channel in self._channels:
                group.create_task(channel.outbox.run(), name=f"outbox {channel.outbox.name}")
            if self._statuses is not None:
                group.create_task(self._statuses.run(), name="commit statuses")
            group.create_task(self._release_all(), name="rate limit")

    async def close(self, seconds: float) -> None:
        """Deliver what the rate limit lets go now, for at most so long, and let `run` end."""
        self._closing = True
        self._release()
        self._news.set()
        if self._limit.waiting:
            log.write(log_events.notifications_dropped, count=self._limit.waiting)
        await asyncio.sleep(0)  # a queue that was made just now begins before it is closed
        closing = [channel.outbox.close(seconds) for channel in self._channels]
        if self._statuses is not None:
            closing.append(self._statuses.close(seconds))
        await asyncio.gather(*closing)

    async def _release_all(self) -> None:
        """Let go what is due, whenever something comes or becomes due."""
        loop = asyncio.get_running_loop()
        while not self._closing:
            self._release()
            due = self._limit.next_at(now=loop.time())
            try:
                async with asyncio.timeout_at(due):
                    await self._news.wait()
            except TimeoutError:
                continue
            self._news.clear()

    def _release(self) -> None:
        for released in self._limit.take(now=asyncio.get_running_loop().time()):
            try:
                if isinstance(released.item, Notification):
                    self._send(released.item, held_back=released.held_back)
                elif self._statuses is not None:
                    self._statuses.send(released.item)
            except Exception as error:  # noqa: BLE001 - a bug in one message must not end the process
                log.crash(log_events.message_not_made, error, repo=released.item.repository)

    def _send(self, notice: Notification, *, held_back: int) -> None:
        log.write(
            log_events.notification_queued, repo=notice.repository, kind=notice.kind, held_back=held_back
        )
        for channel in self._channels:
            form = slack_body if channel.is_slack else json_body
            body = form(notice, held_back=held_back, cluster=self._settings.cluster)
            headers = dict(JSON)
            if self._settings.secret and not channel.is_slack:
                headers[SIGNATURE_HEADER] = signature(self._settings.secret, body)
            channel.outbox.offer(
                Message(id=notice_id(notice), address=channel.address, body=body, headers=headers)
            )


def _channels(
    kind: str, urls: Sequence[ReceiverAddress], post: Post, *, is_slack: bool
) -> tuple[_Channel, ...]:
    """One queue for each address; they are told apart by number, for an address may be a secret."""
    return tuple(
        _Channel(url, Outbox(f"{kind}-{number}", post, policy=POLICY), is_slack)
        for number, url in enumerate(urls, start=1)
    )
