"""Delivery in virtual time: order, retries, pauses, limits and the log, with a fake sink."""

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


async def test_messages_are_sent_in_order() -> None:
    """Each message is sent once."""
    sink = FakeSink()
    async with delivering(sink) as outbox:
        assert all(outbox.offer(message(str(number))) for number in range(100))

    assert sink.taken == [str(number) for number in range(100)]
    assert outbox.stats().delivered == 100
    assert outbox.stats().queued == outbox.stats().queued_bytes == 0


async def test_nothing_is_lost_and_order_is_kept_while_the_sink_is_down_for_30_seconds() -> None:
    """Messages before, during and after an outage arrive in order; each try sends the same message."""
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
    """The policy keeps messages for an hour."""
    sink = FakeSink(failing_until(3_000.0))
    async with delivering(sink) as outbox:
        outbox.offer(message("old"))
        await asyncio.sleep(3_100)

    assert sink.taken == ["old"]


async def test_pauses_grow_and_have_jitter() -> None:
    """Each pause is random, below a limit that doubles up to a minute."""
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
async def test_retry_after_in_seconds_is_respected(status: int) -> None:
    """The next try comes at the requested time."""
    sink = FakeSink(lambda number: Response(status=status, retry_after="42") if number == 0 else OK)
    async with delivering(sink) as outbox:
        outbox.offer(message("1"))
        await asyncio.sleep(50)

    assert sink.gaps == [42.0]


async def test_retry_after_as_a_date_is_respected() -> None:
    """The header may contain a date."""
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    sink = FakeSink(lambda number: Response(status=429, retry_after=date) if number == 0 else OK)
    async with delivering(sink) as outbox:
        outbox.offer(message("1"))
        await asyncio.sleep(200)

    assert 90 <= sink.gaps[0] <= 100


async def test_retry_after_is_bounded() -> None:
    """A pause is at most five minutes."""
    sink = FakeSink(lambda number: Response(status=429, retry_after="86400") if number == 0 else OK)
    async with delivering(sink) as outbox:
        outbox.offer(message("1"))
        await asyncio.sleep(301)

    assert sink.gaps == [300.0]


async def test_a_hanging_sink_is_retried_after_a_timeout() -> None:
    """A try takes at most ten seconds."""
    sink = FakeSink(lambda number: 1e6 if number == 0 else OK)
    async with delivering(sink) as outbox:
        outbox.offer(message("1"))
        await asyncio.sleep(15)

    assert 10.0 <= sink.gaps[0] <= 11.0
    assert sink.taken == ["1"]


@pytest.mark.parametrize("status", [302, 307, 400, 413, 415, 422])
async def test_a_refused_message_is_dropped_and_the_next_one_sent(status: int) -> None:
    """A refused message is not retried, and is counted."""
    sink = FakeSink(lambda number: Response(status=status) if number == 0 else OK)
    async with delivering(sink) as outbox:
        outbox.offer(message("bad"))
        outbox.offer(message("good"))

    assert [sent.id for _, sent in sink.tries] == ["bad", "good"]
    assert outbox.stats().dropped == {DropReason.REFUSED: 1}


async def test_a_message_that_always_fails_expires() -> None:
    """It is dropped after an hour; the messages behind it are still tried, although they are as old."""
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
    """The sink is not contacted again; all messages are counted, and one error is logged."""
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
    """If a queue serves several addresses, a 410 concerns only the message."""
    sink = FakeSink(lambda number: Response(status=410) if number == 0 else OK)
    async with delivering(sink, DeliveryPolicy(gone_stops=False)) as outbox:
        outbox.offer(message("1"))
        outbox.offer(message("2"))

    assert sink.taken == ["2"]
    assert not outbox.stats().stopped


async def test_a_full_queue_drops_the_oldest() -> None:
    """Newer messages are more useful; the message in delivery is not dropped."""
    sink = FakeSink(lambda number: 5.0 if number == 0 else OK)
    async with delivering(sink, DeliveryPolicy(most_messages=4)) as outbox:
        outbox.offer(message("0"))
        await asyncio.sleep(1)
        assert all(outbox.offer(message(str(number))) for number in range(1, 10))
        assert outbox.stats().queued == 4

    assert sink.taken == ["0", "7", "8", "9"]
    assert outbox.stats().dropped == {DropReason.FULL: 6}


async def test_bytes_are_limited() -> None:
    """A few big messages can fill the queue; a message over the limit is refused."""
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
    """Thousands of drops in ten minutes are about ten lines, which contain all counts."""
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
    """One line reports the failure with its reason, the other the recovery."""
    caplog.set_level(logging.INFO, logger="nopea")
    sink = FakeSink(failing_until(600.0))
    async with delivering(sink) as outbox:
        outbox.offer(message("1"))
        await asyncio.sleep(700)

    assert [record.getMessage() for record in caplog.records] == ["sink failing", "sink recovered"]
    assert facts(caplog.records[0])["error"] == "https://events.acme.example/*** cannot be reached"


async def test_a_single_failure_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A keep-alive connection may have been closed meanwhile."""
    caplog.set_level(logging.INFO, logger="nopea")
    sink = FakeSink(lambda number: "closed" if number == 0 else OK)
    async with delivering(sink) as outbox:
        outbox.offer(message("1"))
        await asyncio.sleep(10)

    assert sink.taken == ["1"]
    assert caplog.records == []


async def test_a_bug_in_the_poster_ends_the_run() -> None:
    """An unexpected exception is raised to the owner."""

    async def broken(sent: Message) -> Response:
        raise ZeroDivisionError(sent.id)

    outbox = Outbox("one", broken)
    outbox.offer(message("1"))
    with pytest.raises(ZeroDivisionError):
        await outbox.run()


async def test_no_secret_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """No line contains the password or the path of the URL."""
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


# Closing


async def test_closing_flushes_waiting_messages() -> None:
    """Waiting messages are sent, and new ones are refused."""
    sink = FakeSink(lambda _: 0.1)
    async with delivering(sink) as outbox:
        for number in range(20):
            outbox.offer(message(str(number)))
        await outbox.close(5)
        assert outbox.offer(message("late")) is False

    assert len(sink.taken) == 20
    assert outbox.stats().dropped == {DropReason.SHUTDOWN: 1}


async def test_closing_cuts_a_pause_short() -> None:
    """A sink that has recovered gets its messages before the end of the pause."""
    sink = FakeSink(failing_until(1_000.0))
    async with delivering(sink) as outbox:
        outbox.offer(message("1"))
        await asyncio.sleep(1_000)
        began = now()
        await outbox.close(5)
        assert now() - began < 5

    assert sink.taken == ["1"]


async def test_closing_is_bounded_and_logs_what_is_lost(caplog: pytest.LogCaptureFixture) -> None:
    """If the sink is down, closing ends after its timeout, and one line contains the count."""
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


async def test_closing_is_bounded_if_the_sink_hangs() -> None:
    """A running try is cancelled."""
    sink = FakeSink(lambda _: 1e6)
    async with delivering(sink) as outbox:
        outbox.offer(message("1"))
        await asyncio.sleep(1)
        began = now()
        await outbox.close(2)
        assert now() - began == 2

    assert outbox.stats().dropped == {DropReason.SHUTDOWN: 1}


async def test_closing_respects_retry_after() -> None:
    """There is no further try before the requested time."""
    sink = FakeSink(lambda _: Response(status=429, retry_after="60"))
    async with delivering(sink) as outbox:
        outbox.offer(message("1"))
        await asyncio.sleep(1)
        await outbox.close(5)

    assert len(sink.tries) == 1


async def test_closing_before_running_counts_the_messages() -> None:
    """Messages that were never sent are counted as dropped."""
    outbox = Outbox("one", FakeSink().post)
    outbox.offer(message("1"))

    await outbox.close(5)
    await outbox.run()

    assert outbox.stats().dropped == {DropReason.SHUTDOWN: 1}


async def test_cancellation_is_immediate_and_counted() -> None:
    """The waiting messages are counted as dropped."""
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


async def test_a_flood_of_one_namespace_does_not_push_out_the_message_of_another() -> None:
    """The one message of the other is kept, and sent after one of the flood."""
    sink = FakeSink(lambda number: 5.0 if number == 0 else OK)
    async with delivering(sink, DeliveryPolicy(most_messages=500)) as outbox:
        outbox.offer(message("n", namespace="noisy"))
        await asyncio.sleep(1)
        outbox.offer(message("alert", namespace="quiet"))
        for number in range(10_000):
            outbox.offer(message(str(number), namespace="noisy"))

    assert sink.taken[:3] == ["n", "alert", "9502"] or sink.taken[:3] == ["n", "9502", "alert"]
    assert len(sink.taken) == 500


async def test_big_messages_of_one_namespace_do_not_push_out_those_of_another() -> None:
    """The bound of bytes is shared in the same way."""
    sink = FakeSink(lambda number: 5.0 if number == 0 else OK)
    async with delivering(sink, DeliveryPolicy(most_bytes=10_000)) as outbox:
        outbox.offer(message("n", namespace="noisy"))
        await asyncio.sleep(1)
        outbox.offer(message("alert", namespace="quiet", size=2_000))
        for number in range(100):
            outbox.offer(message(str(number), namespace="noisy", size=4_000))

    assert "alert" in sink.taken[:3]


async def test_a_message_that_always_fails_holds_up_its_namespace_only() -> None:
    """The others are sent between its attempts."""
    poisoned = FakeSink(lambda _: Response(status=500))
    healthy = FakeSink()

    async def post(sent: Message) -> Response:
        return await (poisoned if sent.id == "poison" else healthy).post(sent)

    outbox = Outbox("one", post)
    running = tasks.spawn(outbox.run(), name="outbox")
    for name, namespace in (("poison", "noisy"), ("behind", "noisy"), ("alert", "quiet")):
        outbox.offer(message(name, namespace=namespace))
    await asyncio.sleep(10)

    assert healthy.taken == ["alert"]
    await asyncio.sleep(3_700)
    await outbox.close(1)
    await running
    assert healthy.taken == ["alert", "behind"]
