"""Which triggers need Git, and which interrupt a running reconciliation."""

from __future__ import annotations

from nopea.core.trigger import (
    ANNOUNCED,
    INTERRUPTING,
    MAY_MEAN_NEW_COMMIT,
    URGENT,
    WATCHED,
    WITHOUT_GIT,
    Trigger,
)


def test_a_trigger_that_needs_no_git_never_announces_a_commit() -> None:
    """Drift and health are handled while the Git server is down."""
    assert not WITHOUT_GIT & (ANNOUNCED | MAY_MEAN_NEW_COMMIT)
    assert WATCHED < WITHOUT_GIT


def test_only_a_request_about_the_repository_itself_interrupts() -> None:
    """A push or drift never interrupts a running reconciliation; a spec change and the shutdown do."""
    assert not INTERRUPTING & (ANNOUNCED | WITHOUT_GIT)
    assert {Trigger.SPEC_CHANGE, Trigger.DELETION, Trigger.SHUTDOWN} < INTERRUPTING


def test_values_can_be_joined_in_the_log_and_the_history() -> None:
    """They are joined by commas in `status.history`, so none of them contains one."""
    assert all(trigger.value.replace(" ", "").islower() for trigger in Trigger)


def test_only_what_a_user_waits_for_is_urgent() -> None:
    """After a start, the first list of each kind wakes every repository: that must not hide a push."""
    by_users = {Trigger.WEBHOOK, Trigger.MANUAL, Trigger.SPEC_CHANGE, Trigger.ROLLBACK, Trigger.RESUME}
    assert by_users | {Trigger.DELETION} == URGENT
