"""Outboxes over real sockets, with sinks that fail in different ways."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.fakes.sink import CLOSE, GARBAGE, HANG, MID_BODY, MID_HEADERS, Arrival, Reply, Sink

from nopea import tasks
from nopea.core.git.networks import Networks
from nopea.core.notify.address import ReceiverAddress
from nopea.core.notify.delivery import DeliveryPolicy, DropReason
from nopea.notify.http import Message, NoResponseError
from nopea.notify.outbox import Outbox
from nopea.notify.outboxes import Outboxes

FAST = DeliveryPolicy(first_seconds=0.02, most_seconds=0.1, attempt_seconds=0.5)
PATIENT = DeliveryPolicy(first_seconds=0.02, most_seconds=0.1, attempt_seconds=20)
LONG_OUTAGE = "NOPEA_LONG_TESTS"


def message(id_: str, sink: Sink) -> Message:
    """Return a message to this sink."""
    return Message(
        id=id_,
        namespace="shop",
        address=ReceiverAddress.parse(sink.url()),
        body=id_.encode(),
        headers={"ce-id": id_},
    )


def ids(arrivals: list[Arrival]) -> list[str]:
    """Return the ids of the messages."""
    return [arrival.headers["ce-id"] for arrival in arrivals]


def outbox(outboxes: Outboxes, name: str) -> Outbox:
    """Return the outbox with this name."""
    return next(one for one in outboxes.outboxes if one.name == name)


@asynccontextmanager
async def delivering(*names: str, policy: DeliveryPolicy = FAST) -> AsyncIterator[Outboxes]:
    """Run outboxes with these names; flush them at the end."""
    async with Outboxes() as outboxes:
        for name in names:
            outboxes.add(name, policy)
        running = outboxes.start()
        await asyncio.sleep(0)
        try:
            yield outboxes
            await outboxes.close(20)
        finally:
            await tasks.end(*running.values())


async def test_only_hosts_of_tenants_are_limited_to_their_networks() -> None:
    """A receiver that the process was told of may be on this host; one that a GitRepository names may not."""
    async with Sink() as sink, Outboxes(tenants=Networks.PRIVATE) as outboxes, asyncio.timeout(10):
        with pytest.raises(NoResponseError, match="cannot be reached"):
            await outboxes.post_for_tenant(message("tenant", sink))
        await outboxes.post(message("process", sink))

    assert ids(sink.arrivals) == ["process"]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=500),
        Reply(status=503),
        Reply(status=429, headers={"Retry-After": "0"}),
        Reply(status=408),
        Reply(status=401),
        CLOSE,
        MID_HEADERS,
        MID_BODY,
        GARBAGE,
        HANG,
    ],
    ids=["500", "503", "429", "408", "401", "close", "mid-headers", "mid-body", "garbage", "hang"],
)
async def test_a_sink_that_fails_for_a_while_gets_everything_in_order(reply: Reply) -> None:
    """No message is lost or reordered, however the first three tries fail."""
    async with Sink() as sink, delivering("one") as outboxes:
        sink.replies.extend([reply] * 3)
        for number in range(5):
            assert outbox(outboxes, "one").offer(message(str(number), sink))
        taken = await sink.wait_for(5)

    assert ids(taken) == ["0", "1", "2", "3", "4"]
    assert len({(a.headers["ce-id"], a.body) for a in sink.arrivals}) == 5
    assert outbox(outboxes, "one").stats().retried >= 3  # more if this machine is slower than the deadline
    assert outbox(outboxes, "one").stats().dropped == {}


async def test_a_slow_sink_gets_everything() -> None:
    """Slow answers are waited for, within the deadline of a try."""
    async with Sink(usual=Reply(delay=0.1)) as sink, delivering("one", policy=PATIENT) as outboxes:
        for number in range(5):
            outbox(outboxes, "one").offer(message(str(number), sink))
        taken = await sink.wait_for(5)

    assert ids(taken) == ["0", "1", "2", "3", "4"]
    assert outbox(outboxes, "one").stats().retried == 0


async def outage(seconds: float, policy: DeliveryPolicy) -> None:
    """Close the port for this time while messages are offered; all arrive afterwards, in order, once."""
    async with Sink() as sink, delivering("one", policy=policy) as outboxes:
        outbox(outboxes, "one").offer(message("0", sink))
        await sink.wait_for(1)
        await sink.shut()
        for number in range(1, 20):
            outbox(outboxes, "one").offer(message(str(number), sink))
            await asyncio.sleep(seconds / 19)
        await sink.open()
        outbox(outboxes, "one").offer(message("20", sink))
        taken = await sink.wait_for(21, seconds=90)

    assert ids(taken) == [str(number) for number in range(21)]
    assert outbox(outboxes, "one").stats().dropped == {}


async def test_a_sink_that_is_down_loses_nothing() -> None:
    """Messages that were offered during the outage are delivered afterwards."""
    await outage(0.5, FAST)


@pytest.mark.skipif(not os.environ.get(LONG_OUTAGE), reason=f"takes 30 s; {LONG_OUTAGE}=1 runs it")
async def test_a_sink_that_is_down_for_30_seconds_loses_nothing() -> None:
    """The same holds for the default policy in real time."""
    await outage(30.0, DeliveryPolicy())


async def test_a_redirected_message_is_dropped() -> None:
    """It is counted as refused, and nothing is sent to the other address."""
    async with Sink() as sink, Sink() as other, delivering("one") as outboxes:
        sink.replies.append(Reply(status=302, headers={"Location": other.url()}))
        for number in range(3):
            outbox(outboxes, "one").offer(message(str(number), sink))
        taken = await sink.wait_for(2)
        assert other.arrivals == []

    assert ids(taken) == ["1", "2"]
    assert outbox(outboxes, "one").stats().dropped == {DropReason.REFUSED: 1}


async def test_410_stops_one_sink_and_no_other() -> None:
    """The sink is not contacted again; other sinks are not affected."""
    async with Sink(usual=Reply(status=410)) as gone, Sink() as good, delivering("gone", "good") as outboxes:
        for number in range(3):
            outbox(outboxes, "gone").offer(message(str(number), gone))
            outbox(outboxes, "good").offer(message(str(number), good))
        await good.wait_for(3)

    assert len(gone.arrivals) == 1
    assert outbox(outboxes, "gone").stats().stopped
    assert outbox(outboxes, "good").stats().delivered == 3


async def test_a_hanging_sink_does_not_delay_others() -> None:
    """Each sink has its own queue."""
    async with Sink(usual=HANG) as hangs, Sink() as good, delivering("hangs", "good") as outboxes:
        for number in range(50):
            outbox(outboxes, "hangs").offer(message(str(number), hangs))
            outbox(outboxes, "good").offer(message(str(number), good))
        taken = await good.wait_for(50)
        await outboxes.close(0.1)

    assert len(taken) == 50
    assert outbox(outboxes, "hangs").stats().dropped == {DropReason.SHUTDOWN: 50}


async def test_closing_flushes_all_sinks_concurrently() -> None:
    """All waiting messages are sent."""
    async with Sink(usual=Reply(delay=0.2)) as one, Sink(usual=Reply(delay=0.2)) as two:
        async with delivering("one", "two") as outboxes:
            for number in range(5):
                outbox(outboxes, "one").offer(message(str(number), one))
                outbox(outboxes, "two").offer(message(str(number), two))
            await outboxes.close(20)

        assert ids(one.taken) == ids(two.taken) == ["0", "1", "2", "3", "4"]


async def test_names_of_outboxes_are_unique() -> None:
    """Two outboxes with the same name could not be distinguished in metrics."""
    outboxes = Outboxes()
    outboxes.add("one")
    with pytest.raises(ValueError, match="already an outbox one"):
        outboxes.add("one")
