"""The model of `spec.notify`: who gets which notifications about a GitRepository."""

from __future__ import annotations

import enum
from typing import Annotated

from msgspec import Meta

from nopea.core.api.model import Model
from nopea.core.api.references import SecretReference


class NotificationKind(enum.StrEnum):
    """The subject of a notification."""

    DRIFT = "drift"
    FAILURE = "failure"
    RECOVERY = "recovery"
    HEALTH = "health"
    CONTENTION = "contention"
    ROLLBACK = "rollback"
    PRUNE = "prune"
    DEPLOYMENT = "deployment"
    HEALING = "healing"


DEFAULT_KINDS = frozenset(NotificationKind) - {NotificationKind.DEPLOYMENT, NotificationKind.HEALING}
"""What is sent if nothing else is said: what somebody should look at, and its end."""


class Severity(enum.StrEnum):
    """The urgency: act, look, or for information."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class ReceiverType(enum.StrEnum):
    """The format of the messages."""

    SLACK = "slack"
    TEAMS = "teams"
    DISCORD = "discord"
    WEBHOOK = "webhook"
    ALERTMANAGER = "alertmanager"


class NotifyReceiver(Model, frozen=True, kw_only=True):
    """One receiver of notifications."""

    type: Annotated[
        ReceiverType,
        Meta(description="Format of the messages: slack, teams, discord, webhook (JSON) or alertmanager."),
    ]
    secret_ref: Annotated[
        SecretReference,
        Meta(
            description="Secret whose key url is the address. A token in the key token is sent as Bearer "
            "authorization, and the key secret signs the messages of a webhook."
        ),
    ]
    events: (
        Annotated[
            tuple[NotificationKind, ...],
            Meta(
                min_length=1,
                max_length=len(NotificationKind),
                description="What is sent. Defaults to everything but deployment and healing.",
            ),
        ]
        | None
    ) = None
    severity: Annotated[
        Severity,
        Meta(
            description="Least severity that is sent: info, warning or error. The end of what was sent is "
            "sent as well."
        ),
    ] = Severity.INFO

    @property
    def kinds(self) -> frozenset[NotificationKind]:
        """The kinds of notifications that it gets."""
        return DEFAULT_KINDS if self.events is None else frozenset(self.events)
