"""Delivery in virtual time: order, retries, pauses, bounds, the log. The sink is a function."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from tests.unit.notify.posting import OK, FakeSink, delivering, facts, failing_until, message, now

from nopea import tasks
from nopea.core.notify.delivery import DeliveryPolicy, DropReason
from nopea.notify.http import Message, Response
from nopea.notify.outbox import Outbox

pytestmark = pytest.mark.looptime


async def test_messages_come_in_order() -> None:
    """What is offered first is sent first, each once."""
    sink = FakeSink()
    async with delivering(sink) as outbox:
        assert all(outbox.offer(message(str(number))) for number in range(100))

    assert sink.taken == [str(number) for number in range(100)]
    assert outbox.stats().delivered == 100
    assert outbox.stats().queued == outbox.stats().queued_bytes == 0


async def test_nothing_is_lost_and_order_is_kept_while_the_sink_is_down_for_30_seconds() -> None:
    """Messages offered before, during and after an outage all come, in order, the same at every try."""
    sink = FakeSink(failing_until(30.0))
    async with delivering(sink) as outbox:
        for number in range(45):
            outbox.offer(message(str(number)))
            await asyncio.sleep(1)

    assert sink.taken == [str(number) for number in range(45)]
    first_tries = [sent for _, sent in sink.tries if sent.id == "0"]
    assert len(first_tries) > 1
    assert all(sent is first_tries[0] for sent in first_tries)
    assert outbox.stats().retried == len(sink.tries) - 45
    assert outbox.stats().dropped == {}


async def test_an_outage_of_50_minutes_loses_nothing() -> None:
    """The policy's promise, an hour, is kept."""
    sink = FakeSink(failing_until(3_000.0))
    async with delivering(sink) as outbox:
        outbox.offer(message("old"))
        await asyncio.sleep(3_100)

    assert sink.taken == ["old"]


async def test_pauses_grow_and_are_spread() -> None:
    """Full jitter: each pause is somewhere below a ceiling that doubles up to a minute."""
    sink = FakeSink(lambda _: Response(status=500))
    async with delivering(sink) as outbox:
        outbox.offer(message("1"))
        await asyncio.sleep(3_000)
        gaps = list(sink.gaps)

    policy = DeliveryPolicy()
    assert len(gaps) > 30
    assert all(gap <= policy.ceiling_seconds(number) for number, gap in enumerate(gaps, start=1))
    assert len(set(gaps[6:])) > 20
    assert max(gaps) > 30


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_in_seconds_is_waited_for(status: int) -> None:
    """The sink says when to come again, and we come then, not earlier and hardly later."""
    sink = FakeSink(lambda number: Response(status=status, retry_after="42") if number == 0 else OK)
    async with delivering(sink) as outbox:
        outbox.offer(message("1"))
        await asyncio.sleep(50)

    assert sink.gaps == [42.0]


async def test_retry_after_as_a_date_is_waited_for() -> None:
    """The other form of the header."""
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    sink = FakeSink(lambda number: Response(status=429, retry_after=date) if number == 0 else OK)
    async with delivering(sink) as outbox:
        outbox.offer(message("1"))
        await asyncio.sleep(200)

    assert 90 <= sink.gaps[0] <= 100


async def test_retry_after_is_bounded() -> None:
    """A sink cannot silence us for a day."""
    sink = FakeSink(lambda number: Response(status=429, retry_after="86400") if number == 0 else OK)
    async with delivering(sink) as outbox:
        outbox.offer(message("1"))
        await asyncio.sleep(301)

    assert sink.gaps == [300.0]


async def test_a_sink_that_hangs_is_left_after_the_deadline_of_a_try() -> None:
    """Silence costs ten seconds, and the message is tried again."""
    sink = FakeSink(lambda number: 1e6 if number == 0 else OK)
    async with delivering(sink) as outbox:
        outbox.offer(message("1"))
        await asyncio.sleep(15)

    assert 10.0 <= sink.gaps[0] <= 11.0
    assert sink.taken == ["1"]


@pytest.mark.parametrize("status", [302, 307, 400, 413, 415, 422])
async def test_a_refused_message_is_dropped_and_the_next_one_sent(status: int) -> None:
    """What the sink will never take is tried once and counted."""
    sink = FakeSink(lambda number: Response(status=status) if number == 0 else OK)
    async with delivering(sink) as outbox:
        outbox.offer(message("bad"))
        outbox.offer(message("good"))

    assert [sent.id for _, sent in sink.tries] == ["bad", "good"]
    assert outbox.stats().dropped == {DropReason.REFUSED: 1}


async def test_a_message_that_always_fails_does_not_block_for_ever() -> None:
    """The head is given up after its hour; those that aged behind it have their try all the same."""
    poisoned = FakeSink(lambda _: Response(status=500))
    healthy = FakeSink()

    async def post(sent: Message) -> Response:
        return await (poisoned if sent.id == "poison" else healthy).post(sent)

    outbox = Outbox("one", post)
    running = tasks.spawn(outbox.run(), name="outbox")
    for name in ("poison", "0", "1", "2"):
        outbox.offer(message(name))
    await asyncio.sleep(3_700)
    await outbox.close(1)
    await running

    assert healthy.taken == ["0", "1", "2"]
    assert 3_600 <= poisoned.tries[-1][0] <= 3_660
    assert outbox.stats().dropped == {DropReason.EXPIRED: 1}


async def test_410_stops_the_sink(caplog: pytest.LogCaptureFixture) -> None:
    """The sink is never asked again, what waits and what comes is counted, and one error line tells it."""
    sink = FakeSink(lambda _: Response(status=410))
    async with delivering(sink) as outbox:
        for number in range(3):
            outbox.offer(message(str(number)))
        await asyncio.sleep(1)
        assert outbox.offer(message("late")) is False
        await asyncio.sleep(10_000)

    assert len(sink.tries) == 1
    assert outbox.stats().stopped
    assert outbox.stats().dropped == {DropReason.STOPPED: 4}
    assert [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR] == ["sink stopped"]


async def test_410_can_mean_one_message() -> None:
    """Where one queue serves many addresses, one of them that is gone stops no other."""
    sink = FakeSink(lambda number: Response(status=410) if number == 0 else OK)
    async with delivering(sink, DeliveryPolicy(gone_stops=False)) as outbox:
        outbox.offer(message("1"))
        outbox.offer(message("2"))

    assert sink.taken == ["2"]
    assert not outbox.stats().stopped


async def test_a_full_queue_drops_the_oldest() -> None:
    """The latest is what is so now; the message under way is not torn out."""
    sink = FakeSink(lambda number: 5.0 if number == 0 else OK)
    async with delivering(sink, DeliveryPolicy(most_messages=4)) as outbox:
        outbox.offer(message("0"))
        await asyncio.sleep(1)
        assert all(outbox.offer(message(str(number))) for number in range(1, 10))
        assert outbox.stats().queued == 4

    assert sink.taken == ["0", "7", "8", "9"]
    assert outbox.stats().dropped == {DropReason.FULL: 6}


async def test_bytes_are_bounded_too() -> None:
    """Few big messages fill the queue as many small ones do, and one that never fits is refused."""
    sink = FakeSink(lambda number: 5.0 if number == 0 else OK)
    async with delivering(sink, DeliveryPolicy(most_bytes=1_000)) as outbox:
        outbox.offer(message("0", size=300))
        await asyncio.sleep(1)
        for name in "abcd":
            assert outbox.offer(message(name, size=300))
        assert outbox.stats().queued_bytes == 900
        assert outbox.offer(message("huge", size=501)) is False

    assert sink.taken == ["0", "c", "d"]
    assert outbox.stats().dropped == {DropReason.FULL: 2, DropReason.TOO_BIG: 1}
    assert outbox.stats().queued_bytes == 0


async def test_drops_are_logged_at_a_bounded_rate(caplog: pytest.LogCaptureFixture) -> None:
    """Thousands of drops in ten minutes are ten lines, and the lines add up to all of them."""
    sink = FakeSink(lambda _: Response(status=415))
    async with delivering(sink) as outbox:
        for number in range(6_000):
            outbox.offer(message(str(number)))
            await asyncio.sleep(0.1)

    lines = [facts(record) for record in caplog.records if record.getMessage() == "messages dropped"]
    assert 9 <= len(lines) <= 12
    assert sum(line["count"] for line in lines) == 6_000
    assert {line["reason"] for line in lines} == {"refused"}
    assert {line["error"] for line in lines} == {"https://events.acme.example/*** answered 415"}


async def test_an_outage_is_two_lines(caplog: pytest.LogCaptureFixture) -> None:
    """The sink fails, with the reason; the sink works again. Not a line per try."""
    caplog.set_level(logging.INFO, logger="nopea")
    sink = FakeSink(failing_until(600.0))
    async with delivering(sink) as outbox:
        outbox.offer(message("1"))
        await asyncio.sleep(700)

    assert [record.getMessage() for record in caplog.records] == ["sink failing", "sink recovered"]
    assert facts(caplog.records[0])["error"] == "https://events.acme.example/*** cannot be reached"


async def test_one_failure_is_no_line(caplog: pytest.LogCaptureFixture) -> None:
    """A kept connection that was closed meanwhile wakes nobody."""
    caplog.set_level(logging.INFO, logger="nopea")
    sink = FakeSink(lambda number: "closed" if number == 0 else OK)
    async with delivering(sink) as outbox:
        outbox.offer(message("1"))
        await asyncio.sleep(10)

    assert sink.taken == ["1"]
    assert caplog.records == []


async def test_a_bug_in_the_poster_ends_the_run() -> None:
    """What nobody foresaw is not swallowed: the owner sees it."""

    async def broken(sent: Message) -> Response:
        raise ZeroDivisionError(sent.id)

    outbox = Outbox("one", broken)
    outbox.offer(message("1"))
    with pytest.raises(ZeroDivisionError):
        await outbox.run()


async def test_no_secret_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Neither password nor path of the URL stands in any line."""
    caplog.set_level(logging.DEBUG, logger="nopea")
    answers: list[Response | str] = [
        Response(status=500),
        "https://events.acme.example/*** is away",
        Response(status=302),
    ]
    sink = FakeSink(lambda number: answers[number] if number < 3 else Response(status=410))
    async with delivering(sink) as outbox:
        outbox.offer(message("1"))
        outbox.offer(message("2"))
        await asyncio.sleep(100)

    text = " ".join(f"{record.getMessage()} {facts(record)}" for record in caplog.records)
    assert {"sink failing", "messages dropped", "sink stopped"} <= {r.getMessage() for r in caplog.records}
    assert "hunter22" not in text
    assert "topsecret" not in text


# How it ends.


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
