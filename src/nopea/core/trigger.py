"""Why a reconciliation starts. It always compares everything; the trigger says what to ask first."""

from __future__ import annotations

import enum


class Trigger(enum.StrEnum):
    """All triggers; the values appear in the log and in `status.history`."""

    STARTUP = "startup"
    POLL = "poll"
    RECONCILE = "reconcile"
    RETRY = "retry"
    WEBHOOK = "webhook"
    OBJECT_CHANGE = "object change"
    SPEC_CHANGE = "spec change"
    KIND_CHANGE = "kind change"
    SECRET_CHANGE = "secret change"
    INPUT_CHANGE = "input change"
    MANUAL = "manual"
    HEAL = "heal"
    ROLLBACK = "rollback"
    RESUME = "resume"
    DEPENDENCY = "dependency"
    HEALTH = "health"
    DELETION = "deletion"
    SHUTDOWN = "shutdown"


INTERRUPTING = frozenset(
    {Trigger.SPEC_CHANGE, Trigger.ROLLBACK, Trigger.RESUME, Trigger.DELETION, Trigger.SHUTDOWN}
)
"""Interrupt a running reconciliation between two objects, and start another."""

ANNOUNCED = frozenset({Trigger.POLL, Trigger.WEBHOOK})
"""Start a reconciliation only if Git has a new commit."""

WATCHED = frozenset({Trigger.OBJECT_CHANGE, Trigger.HEALTH})
"""Start a reconciliation only if the watches have seen a change."""

WITHOUT_GIT = WATCHED | {Trigger.HEAL, Trigger.RECONCILE, Trigger.INPUT_CHANGE}
"""Need no request to Git: the last known commit is applied."""

MAY_MEAN_NEW_COMMIT = frozenset({Trigger.POLL, Trigger.WEBHOOK, Trigger.MANUAL})
"""Make a running reconciliation check that its commit is still the newest."""

URGENT = frozenset(
    {
        Trigger.WEBHOOK,
        Trigger.MANUAL,
        Trigger.SPEC_CHANGE,
        Trigger.ROLLBACK,
        Trigger.RESUME,
        Trigger.DELETION,
    }
)
"""A user waits for the reconciliation: it comes before those that nobody asked for."""
