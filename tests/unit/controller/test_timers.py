"""Timers put triggers at their time, at most one of each, and never after they were dropped."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from nopea.controller.mailbox import Mailbox
from nopea.controller.timers import Timers
from nopea.core.trigger import Trigger

pytestmark = pytest.mark.looptime


async def test_it_rings_at_its_time(looptime: Any) -> None:
    """One trigger, once."""
    mailbox = Mailbox()
    Timers(mailbox).set(Trigger.POLL, 300)

    assert await mailbox.take() == {Trigger.POLL}
    assert looptime == 300
    await asyncio.sleep(1000)
    assert mailbox.pending() == frozenset()


async def test_setting_again_replaces(looptime: Any) -> None:
    """The later word holds, be it earlier or later."""
    mailbox = Mailbox()
    timers = Timers(mailbox)
    timers.set(Trigger.RETRY, 10)
    timers.set(Trigger.RETRY, 20)
    await asyncio.sleep(19)
    assert mailbox.pending() == frozenset()

    await mailbox.take()
    assert looptime == 20


async def test_dropped_and_cleared_ones_never_ring() -> None:
    """Dropping spares the others; dropping what is not there or has rung does nothing."""
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
    """What is to happen soon does not wait for a timer that rings later."""
    mailbox = Mailbox()
    timers = Timers(mailbox)
    timers.no_later(Trigger.HEALTH, 10)
    timers.no_later(Trigger.HEALTH, 20)
    timers.no_later(Trigger.HEALTH, 1)

    assert await mailbox.take() == {Trigger.HEALTH}
    assert looptime == 1
