"""A request to a Git child: it ends once, with a result or a failure."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from nopea.core.objects import RepoKey
from nopea.git.process import GitProcess, Trust
from nopea.git.protocol import ErrorKind, Op
from nopea.git.request import GitRequest, Lane, Member, OperationError
from nopea.git.settings import GitSettings


def request(**more: Any) -> GitRequest:
    """Return a new request."""
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    fields: dict[str, Any] = {"lane": Lane.YOUNG, "alone": False, "owner": RepoKey("shop", "api"), **more}
    return GitRequest(
        op=Op.HEAD,
        fields={},
        trust=Trust(),
        key="shop",
        deadline=0,
        future=future,
        namespaces={"shop"},
        **fields,
    )


async def test_a_result_ends_the_wait_and_the_timers() -> None:
    """A timer that fires later would kill the child."""
    made, expired = request(), list[bool]()
    made.timers.append(asyncio.get_running_loop().call_later(0, expired.append, True))

    made.succeed({"id": "c0ffee"})
    await asyncio.sleep(0.01)

    assert await made.future == {"id": "c0ffee"}
    assert expired == []


async def test_a_failure_has_its_kind_and_facts() -> None:
    """They become the problem that users read."""
    made = request()

    made.fail(ErrorKind.REF_MISSING, "there is no such branch", similar=["main"])

    with pytest.raises(OperationError) as failure:
        await made.future
    assert failure.value.kind is ErrorKind.REF_MISSING
    assert failure.value.facts == {"similar": ["main"]}


async def test_a_response_after_the_end_is_dropped() -> None:
    """A response after the timeout or a cancellation is not an error."""
    made, cancelled = request(), request()
    made.succeed(1)
    cancelled.future.cancel()

    made.fail(ErrorKind.TIMEOUT, "late")
    cancelled.succeed(2)

    assert await made.future == 1
    assert cancelled.future.cancelled()


async def test_a_member_counts_its_requests_by_lane(tmp_path: Path) -> None:
    """The limits of the lanes are independent of each other."""
    process = GitProcess("1", GitSettings(cache_dir=tmp_path), Trust(), on_answer=lambda _: None)
    member = Member(process=process, trust=Trust(), alone=False)
    for number, lane in enumerate((Lane.YOUNG, Lane.YOUNG, Lane.LOCAL)):
        member.running[number] = request(lane=lane)

    assert [member.busy(lane) for lane in Lane] == [2, 0, 1, 0]
