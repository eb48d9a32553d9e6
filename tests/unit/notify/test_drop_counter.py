"""Dropped messages are counted by reason and logged at a limited rate."""

from __future__ import annotations

import asyncio

import pytest
from tests.unit.notify.posting import facts

from nopea import tasks
from nopea.core.notify.delivery import DropReason
from nopea.notify.drop_counter import LOG_SECONDS, DropCounter


async def test_drops_are_counted_by_reason() -> None:
    """The counts include drops that were already logged."""
    counter = DropCounter("one")
    counter.add(DropReason.FULL)
    counter.write_log()
    counter.add(DropReason.FULL, count=2)
    counter.add(DropReason.EXPIRED)

    assert counter.counts == {DropReason.FULL: 3, DropReason.EXPIRED: 1}


@pytest.mark.looptime
async def test_the_first_drop_is_logged_at_once_and_the_others_after_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A line contains the reason, the count, the last error and the last id."""
    counter = DropCounter("one")
    running = tasks.spawn(counter.run(), name="drops")
    counter.add(DropReason.REFUSED, error="400", last="a")
    await asyncio.sleep(1)
    assert len(caplog.records) == 1

    counter.add(DropReason.REFUSED, error="400", last="b")
    counter.add(DropReason.REFUSED, error="422", last="c")
    await asyncio.sleep(LOG_SECONDS - 2)
    assert len(caplog.records) == 1
    await asyncio.sleep(2)
    await tasks.end(running)

    assert [facts(record) for record in caplog.records] == [
        {"sink": "one", "reason": "refused", "count": 1, "error": "400", "last": "a"},
        {"sink": "one", "reason": "refused", "count": 2, "error": "422", "last": "c"},
    ]
