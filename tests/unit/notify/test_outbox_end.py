"""How an outbox ends, in virtual time: flushed within a bound, cut off, cancelled; what is left is told."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from tests.unit.notify.posting import FakeSink, delivering, facts, failing_until, message, now

from nopea import tasks
from nopea.core.notify.delivery import DropReason
from nopea.notify.http import Response
from nopea.notify.outbox import Outbox

pytestmark = pytest.mark.looptime


async def test_closing_flushes_what_waits() -> None:
    """All that was offered before the end is sent, and nothing is taken any more."""
    sink = FakeSink(lambda _: 0.1)
    async with delivering(sink) as outbox:
        for number in range(20):
            outbox.offer(message(str(number)))
        await outbox.close(5)
        assert outbox.offer(message("late")) is False

    assert len(sink.taken) == 20
    assert outbox.stats().dropped == {DropReason.SHUTDOWN: 1}


async def test_closing_cuts_a_pause_short() -> None:
    """The last seconds are used: a sink that came back in a long pause gets its messages."""
    sink = FakeSink(failing_until(1_000.0))
    async with delivering(sink) as outbox:
        outbox.offer(message("1"))
        await asyncio.sleep(1_000)
        began = now()
        await outbox.close(5)
        assert now() - began < 5

    assert sink.taken == ["1"]


async def test_closing_ends_in_time_and_tells_what_is_left(caplog: pytest.LogCaptureFixture) -> None:
    """A sink that is down does not hold up the end; how much was lost is one line."""
    sink = FakeSink(lambda _: "down")
    async with delivering(sink) as outbox:
        for number in range(7):
            outbox.offer(message(str(number)))
        await asyncio.sleep(100)
        began = now()
        await outbox.close(5)
        assert now() - began == 5

    assert outbox.stats().dropped == {DropReason.SHUTDOWN: 7}
    last = facts(caplog.records[-1])
    assert (last["reason"], last["count"], last["sink"]) == ("shutdown", 7, "one")


async def test_closing_ends_in_time_though_the_sink_hangs() -> None:
    """A try that is under way is cut off."""
    sink = FakeSink(lambda _: 1e6)
    async with delivering(sink) as outbox:
        outbox.offer(message("1"))
        await asyncio.sleep(1)
        began = now()
        await outbox.close(2)
        assert now() - began == 2

    assert outbox.stats().dropped == {DropReason.SHUTDOWN: 1}


async def test_closing_does_not_hurry_a_sink_that_asked_for_a_pause() -> None:
    """Retry-After holds at the end too."""
    sink = FakeSink(lambda _: Response(status=429, retry_after="60"))
    async with delivering(sink) as outbox:
        outbox.offer(message("1"))
        await asyncio.sleep(1)
        await outbox.close(5)

    assert len(sink.tries) == 1


async def test_closing_before_running_loses_and_counts() -> None:
    """A process that never came to run tells what it had been given."""
    outbox = Outbox("one", FakeSink().post)
    outbox.offer(message("1"))

    await outbox.close(5)
    await outbox.run()

    assert outbox.stats().dropped == {DropReason.SHUTDOWN: 1}


async def test_cancellation_passes_at_once_and_is_counted() -> None:
    """The owner can end it at any moment; it leaves no task behind and knows what it lost."""
    sink = FakeSink(lambda _: 1e6)
    outbox = Outbox("one", sink.post)
    running = tasks.spawn(outbox.run(), name="outbox")
    outbox.offer(message("1"))
    outbox.offer(message("2"))
    await asyncio.sleep(1)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running

    assert running.cancelled()
    assert now() < 2
    assert outbox.stats().dropped == {DropReason.SHUTDOWN: 2}
    await outbox.close(5)
