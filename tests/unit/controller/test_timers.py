"""Timers put triggers into the mailbox at their time, at most one of each; dropped timers do not fire."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from nopea.controller.mailbox import Mailbox
from nopea.controller.timers import Timers
from nopea.core.trigger import Trigger

pytestmark = pytest.mark.looptime


async def test_a_timer_puts_its_trigger_once(looptime: Any) -> None:
    """The trigger arrives at its time, and only once."""
    mailbox = Mailbox()
    Timers(mailbox).set(Trigger.POLL, 300)

    assert await mailbox.take() == {Trigger.POLL}
    assert looptime == 300
    await asyncio.sleep(1000)
    assert mailbox.pending() == frozenset()


async def test_setting_a_timer_again_replaces_it(looptime: Any) -> None:
    """A timer that is set again fires only at the new time."""
    mailbox = Mailbox()
    timers = Timers(mailbox)
    timers.set(Trigger.RETRY, 10)
    timers.set(Trigger.RETRY, 20)
    await asyncio.sleep(19)
    assert mailbox.pending() == frozenset()

    await mailbox.take()
    assert looptime == 20


async def test_dropped_and_cleared_timers_never_fire() -> None:
    """Dropping does not affect other timers, and does nothing for a timer that is not set or has fired."""
    mailbox = Mailbox()
    timers = Timers(mailbox)
    timers.set(Trigger.POLL, 1)
    timers.set(Trigger.RECONCILE, 2)
    timers.set(Trigger.RETRY, 3)
    timers.drop([Trigger.POLL, Trigger.MANUAL])
    await asyncio.sleep(2.5)
    assert await mailbox.take() == {Trigger.RECONCILE}

    timers.drop([Trigger.RECONCILE])
    timers.clear()
    await asyncio.sleep(10)
    assert mailbox.pending() == frozenset()


async def test_a_timer_is_set_earlier_and_never_later(looptime: Any) -> None:
    """`no_later` moves a timer forward, never back."""
    mailbox = Mailbox()
    timers = Timers(mailbox)
    timers.no_later(Trigger.HEALTH, 10)
    timers.no_later(Trigger.HEALTH, 20)
    timers.no_later(Trigger.HEALTH, 1)

    assert await mailbox.take() == {Trigger.HEALTH}
    assert looptime == 1
