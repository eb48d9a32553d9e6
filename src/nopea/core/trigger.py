"""Why a worker should look. A pass looks at the world; the trigger is for the log line and for history."""

from __future__ import annotations

import enum


class Trigger(enum.StrEnum):
    """All of them; design section 3 says when each comes."""

    STARTUP = "startup"
    POLL = "poll"
    RECONCILE = "reconcile"
    RETRY = "retry"
    WEBHOOK = "webhook"
    OBJECT_CHANGE = "object change"
    SPEC_CHANGE = "spec change"
    KIND_CHANGE = "kind change"
    MANUAL = "manual"
    HEAL = "heal"
    ROLLBACK = "rollback"
    RESUME = "resume"
    DEPENDENCY = "dependency"
    HEALTH = "health"
    DELETION = "deletion"
    SHUTDOWN = "shutdown"


RESTARTS_PASS = frozenset(
    {Trigger.SPEC_CHANGE, Trigger.ROLLBACK, Trigger.RESUME, Trigger.DELETION, Trigger.SHUTDOWN}
)
"""What a running pass yields to at once, between two objects."""

ANNOUNCED = frozenset({Trigger.POLL, Trigger.WEBHOOK})
"""What needs a pass only if Git has something to tell."""

WATCHED = frozenset({Trigger.OBJECT_CHANGE, Trigger.HEALTH})
"""What needs a pass only if the watches have something to tell."""

WITHOUT_GIT = WATCHED | {Trigger.HEAL, Trigger.RECONCILE}
"""What a pass answers from the commit that it knows, without asking Git."""

MAY_MEAN_NEW_COMMIT = frozenset({Trigger.POLL, Trigger.WEBHOOK, Trigger.MANUAL})
"""What makes a running pass ask Git whether it still applies the newest commit."""
