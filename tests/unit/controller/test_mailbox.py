"""The mailbox of a worker: triggers are kept until they are taken, and equal ones coalesce."""

from __future__ import annotations

import asyncio

from nopea.controller.mailbox import Mailbox
from nopea.core.trigger import Trigger
from nopea.tasks import end, spawn


async def test_fifty_pushes_are_one_trigger() -> None:
    """Equal triggers coalesce; different ones are taken together."""
    mailbox = Mailbox()
    for _ in range(50):
        mailbox.put(Trigger.WEBHOOK)
    mailbox.put(Trigger.MANUAL)

    assert await mailbox.take() == {Trigger.WEBHOOK, Trigger.MANUAL}
    assert mailbox.pending() == frozenset()


async def test_taking_waits_for_a_trigger() -> None:
    """Taking from an empty mailbox waits; a later trigger is taken later."""
    mailbox = Mailbox()
    taking = spawn(mailbox.take(), name="taking")
    await asyncio.sleep(0)
    assert not taking.done()

    mailbox.put(Trigger.POLL)
    assert await taking == {Trigger.POLL}

    mailbox.put(Trigger.RETRY)
    assert await mailbox.take() == {Trigger.RETRY}


async def test_pending_takes_nothing() -> None:
    """A running sync can look at the pending triggers; they remain for the next sync."""
    mailbox = Mailbox()
    mailbox.put(Trigger.SPEC_CHANGE)

    assert mailbox.pending() == {Trigger.SPEC_CHANGE}
    assert await mailbox.take() == {Trigger.SPEC_CHANGE}


async def test_a_cancelled_take_loses_nothing() -> None:
    """A trigger that arrives at the time of the cancellation is kept for the next take."""
    mailbox = Mailbox()
    taking = spawn(mailbox.take(), name="taking")
    await asyncio.sleep(0)
    mailbox.put(Trigger.MANUAL)
    await end(taking)

    assert await mailbox.take() == {Trigger.MANUAL}


async def test_taken_triggers_do_not_change() -> None:
    """A trigger that arrives after the take is not added to the set that was taken."""
    mailbox = Mailbox()
    mailbox.put(Trigger.POLL)
    taken = await mailbox.take()

    mailbox.put(Trigger.RETRY)

    assert taken == {Trigger.POLL}
