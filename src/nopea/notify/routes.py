"""From transitions to queued messages, for one set of receivers: chats and webhooks, or an Alertmanager."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from nopea import log_events
from nopea.core.api.notify import ReceiverType
from nopea.core.notify.address import ReceiverAddress
from nopea.core.notify.alerts import AlertBoard, alerts_of
from nopea.core.notify.commit_status import CommitStatus
from nopea.core.notify.failures import HOLD_SECONDS
from nopea.core.notify.formats import (
    SIGNATURE_HEADER,
    discord_body,
    json_body,
    notification_id,
    signature,
    slack_body,
    teams_body,
)
from nopea.core.notify.lane import MessageLane, NotifyFilter
from nopea.core.notify.notification import Notification
from nopea.core.objects import RepoKey
from nopea.core.secret import Secret
from nopea.core.status.report import Result
from nopea.core.status.transition import Transition
from nopea.logs import Log
from nopea.notify.http import Message
from nopea.notify.outbox import Outbox

log = Log(__name__)

GAP_SECONDS: Final = 5.0
"""Changes of many repositories are sent to an Alertmanager together."""
JSON: Final = {"Content-Type": "application/json"}
_BODIES: Final = {
    ReceiverType.SLACK: slack_body,
    ReceiverType.TEAMS: teams_body,
    ReceiverType.DISCORD: discord_body,
    ReceiverType.WEBHOOK: json_body,
}


@dataclass(frozen=True, slots=True)
class Channel:
    """One address, its format and its queue; `signing` signs the messages of a webhook."""

    type: ReceiverType
    address: ReceiverAddress
    outbox: Outbox
    signing: Secret | None = None


class Route(Protocol):
    """Takes transitions and fills outboxes; `release` says when it wants to be called again."""

    @property
    def channels(self) -> Sequence[Channel]:
        """Where its messages go."""

    @property
    def waiting(self) -> int:
        """The number of messages that the rate limit holds."""

    def observe(self, transition: Transition, *, now: float, is_first: bool) -> None:
        """Take in a transition; `is_first` if it is the first of its repository in this process."""

    def forget(self, key: RepoKey) -> None:
        """Drop a repository that these receivers are not told of any more."""

    def release(self, *, now: float) -> float | None:
        """Queue what is due; return when to call it again, None for not before the next transition."""


class MessageRoute:
    """Notifications for people and programs, and the commit statuses that share their rate limit."""

    def __init__(
        self,
        channels: Sequence[Channel],
        wanted: NotifyFilter,
        *,
        per_minute: int,
        cluster: str,
        hold_seconds: float = HOLD_SECONDS,
        status_of: Callable[[Transition], CommitStatus | None] | None = None,
        send_status: Callable[[CommitStatus], None] | None = None,
    ) -> None:
        self.channels = channels
        self._lane = MessageLane(wanted, per_minute=per_minute, hold_seconds=hold_seconds)
        self._cluster = cluster
        self._status_of = status_of
        self._send_status = send_status

    @property
    def waiting(self) -> int:
        """The number of messages that the rate limit holds."""
        return self._lane.waiting

    def observe(self, transition: Transition, *, now: float, is_first: bool) -> None:
        """Take in a transition."""
        if self.channels:
            self._lane.observe(transition, now=now, is_first=is_first)
        status = self._status_of(transition) if self._status_of is not None else None
        if status is not None:
            self._lane.offer_status(status, now=now)

    def forget(self, key: RepoKey) -> None:
        """Drop a repository."""
        self._lane.forget(key)

    def release(self, *, now: float) -> float | None:
        """Queue what the rate limit lets go."""
        for released in self._lane.take(now=now, at=datetime.now(UTC)):
            try:
                if isinstance(released.item, Notification):
                    self._send(released.item, held_back=released.held_back)
                elif self._send_status is not None:
                    self._send_status(released.item)
            except Exception as error:  # noqa: BLE001 - a bug in one message must not end the process
                log.crash(log_events.message_not_made, error, repo=released.item.repository)
        return self._lane.next_at(now=now)

    def _send(self, notification: Notification, *, held_back: int) -> None:
        log.write(
            log_events.notification_queued,
            repo=notification.repository,
            kind=notification.kind,
            held_back=held_back,
        )
        for channel in self.channels:
            body = _BODIES[channel.type](notification, held_back=held_back, cluster=self._cluster)
            headers = dict(JSON)
            if channel.signing and channel.type is ReceiverType.WEBHOOK:
                headers[SIGNATURE_HEADER] = signature(channel.signing, body)
            channel.outbox.offer(
                Message(
                    id=notification_id(notification),
                    namespace=notification.namespace,
                    address=channel.address,
                    body=body,
                    headers=headers,
                )
            )


class AlertRoute:
    """The alerts of one Alertmanager, which are sent again while they fire."""

    def __init__(
        self, channel: Channel, wanted: NotifyFilter, *, cluster: str, hold_seconds: float = HOLD_SECONDS
    ) -> None:
        self.channels = (channel,)
        self._wanted = wanted
        self._cluster = cluster
        self._hold = hold_seconds
        self._board = AlertBoard()
        self._sent_at = float("-inf")
        self._again_at = float("inf")

    waiting = 0

    def observe(self, transition: Transition, *, now: float, is_first: bool) -> None:  # noqa: ARG002 - of Route
        """Take in a transition; what has changed is sent at once."""
        if transition.report is not None and transition.report.result is Result.SUPERSEDED:
            return
        alerts = alerts_of(transition, cluster=self._cluster, hold_seconds=self._hold)
        wanted = tuple(alert for alert in alerts if self._wanted.wants_alert(alert.kind, alert.severity))
        if self._board.observe(transition.repository.key, wanted):
            self._again_at = max(now, self._sent_at + GAP_SECONDS)

    def forget(self, key: RepoKey) -> None:
        """Drop a repository; its alerts end."""
        if self._board.observe(key, ()):  # the last one may be followed by the end of the queue
            self._again_at = float("-inf") if self._board.is_empty else self._sent_at + GAP_SECONDS

    def release(self, *, now: float) -> float | None:
        """Queue what fires and what has ended, if something has changed or a minute has passed."""
        at = datetime.now(UTC)
        if now >= self._again_at:
            self._sent_at = now
            for number, body in enumerate(self._board.messages(at=at)):
                (channel,) = self.channels
                message_id = f"alerts {at.isoformat()} {number}"
                channel.outbox.offer(
                    Message(id=message_id, namespace="", address=channel.address, body=body, headers=JSON)
                )
            following = self._board.next_at(at=at)
            if following is None:
                self._again_at = float("inf")
                return None
            self._again_at = now + max((following - at).total_seconds(), GAP_SECONDS)
        return self._again_at if self._again_at != float("inf") else None
