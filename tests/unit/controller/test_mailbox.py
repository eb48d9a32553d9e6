"""The door into a worker: nothing is lost, nothing is counted, nobody is blocked."""

from __future__ import annotations

import asyncio

from nopea.controller.mailbox import Mailbox
from nopea.core.trigger import Trigger
from nopea.tasks import end, spawn


async def test_fifty_pushes_are_one() -> None:
    """Equal triggers coalesce, different ones come together."""
    mailbox = Mailbox()
    for _ in range(50):
        mailbox.put(Trigger.WEBHOOK)
    mailbox.put(Trigger.MANUAL)

    assert await mailbox.take() == {Trigger.WEBHOOK, Trigger.MANUAL}
    assert mailbox.pending() == frozenset()


async def test_taking_waits_for_the_first() -> None:
    """An empty mailbox holds its reader, and what comes later is taken later."""
    mailbox = Mailbox()
    taking = spawn(mailbox.take(), name="taking")
    await asyncio.sleep(0)
    assert not taking.done()

    mailbox.put(Trigger.POLL)
    assert await taking == {Trigger.POLL}

    mailbox.put(Trigger.RETRY)
    assert await mailbox.take() == {Trigger.RETRY}


async def test_looking_takes_nothing() -> None:
    """A running pass looks at what waits; the next one still gets it."""
    mailbox = Mailbox()
    mailbox.put(Trigger.SPEC_CHANGE)

    assert mailbox.pending() == {Trigger.SPEC_CHANGE}
    assert await mailbox.take() == {Trigger.SPEC_CHANGE}


async def test_a_cancelled_reader_loses_nothing() -> None:
    """What arrives in the moment of the cancellation is there for the next reader."""
    mailbox = Mailbox()
    taking = spawn(mailbox.take(), name="taking")
    await asyncio.sleep(0)
    mailbox.put(Trigger.MANUAL)
    await end(taking)

    assert await mailbox.take() == {Trigger.MANUAL}


async def test_what_is_taken_does_not_change_any_more() -> None:
    """The triggers of a pass are those that woke it."""
    mailbox = Mailbox()
    mailbox.put(Trigger.POLL)
    taken = await mailbox.take()

    mailbox.put(Trigger.RETRY)

    assert taken == {Trigger.POLL}
