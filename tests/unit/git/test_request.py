"""One operation on its way: one result, one end, timers that stop; and what a child is busy with."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from nopea.git.process import ChildProcess, Trust
from nopea.git.protocol import ErrorKind, Op
from nopea.git.request import GitRequest, Lane, Member, OperationError
from nopea.git.settings import GitSettings

pytestmark = pytest.mark.looptime


def request(lane: Lane = Lane.YOUNG, **changes: Any) -> GitRequest:
    """Return a request that nobody has answered."""
    return GitRequest(
        op=Op.HEAD, fields={}, trust=Trust(), key="shop", deadline=60, lane=lane, alone=False,
        future=asyncio.get_running_loop().create_future(), **changes,
    )  # fmt: skip


async def test_the_first_outcome_counts() -> None:
    """A request that failed at its deadline is not answered afterwards, and the other way round."""
    late, answered = request(), request()
    late.fail(ErrorKind.TIMEOUT, "too late", seconds=3)
    late.succeed("an answer")
    answered.succeed("an answer")
    answered.fail(ErrorKind.TIMEOUT, "too late")

    with pytest.raises(OperationError, match="too late") as failure:
        await late.future
    assert (failure.value.kind, failure.value.facts) == (ErrorKind.TIMEOUT, {"seconds": 3})
    assert await answered.future == "an answer"


async def test_an_outcome_of_a_cancelled_caller_is_dropped() -> None:
    """Nobody waits: neither a result nor an error is raised anywhere."""
    cancelled = request()
    cancelled.future.cancel()

    cancelled.succeed("an answer")
    cancelled.fail(ErrorKind.DIED, "died")

    assert cancelled.future.cancelled()


async def test_an_outcome_stops_the_timers() -> None:
    """A deadline that has passed meanwhile must not kill a child that works for others."""
    rung: list[str] = []
    loop = asyncio.get_running_loop()
    answered = request(timers=[loop.call_later(1, rung.append, "deadline")])

    answered.succeed("an answer")
    await asyncio.sleep(2)

    assert rung == []


async def test_a_request_ends_once() -> None:
    """Whoever holds a lock for it is called one time, however often its end is noticed."""
    ended: list[str] = []
    finished = request(on_end=lambda: ended.append("end"))

    finished.end()
    finished.end()
    request().end()  # nobody wants to know

    assert ended == ["end"]


async def test_a_child_is_busy_by_lane(tmp_path: Path) -> None:
    """A request that changes its lane counts in the new one."""
    process = ChildProcess("1", GitSettings(cache_dir=tmp_path), Trust(), on_answer=lambda _: None)
    member = Member(process=process, trust=Trust(), alone=False)
    for number, lane in enumerate((Lane.YOUNG, Lane.YOUNG, Lane.LOCAL)):
        member.running[number] = request(lane)

    member.running[0].lane = Lane.SLOW

    assert [member.busy(lane) for lane in (Lane.YOUNG, Lane.SLOW, Lane.LOCAL)] == [1, 1, 1]
