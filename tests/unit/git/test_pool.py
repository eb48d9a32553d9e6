"""Requests over real Git children: deadlines, deaths, quarantine, lanes and who pays."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.git import faulty
from tests.git.conftest import alive, until
from tests.git.faulty import FaultyServer

from nopea.git.pool import Pool
from nopea.git.process import Trust
from nopea.git.protocol import ErrorKind, Op
from nopea.git.request import OperationError
from nopea.git.settings import GitSettings
from nopea.tasks import end, spawn

ADDRESS = {
    "username": "",
    "password": b"",
    "token": b"",
    "identity": b"",
    "identity_password": b"",
}


@pytest.fixture
def silent() -> Iterator[FaultyServer]:
    """A server that takes connections and never answers."""
    with FaultyServer(faulty.silent) as server:
        yield server


@asynccontextmanager
async def pool(tmp_path: Path, **settings: Any) -> AsyncIterator[Pool]:
    """Run a pool with one child that waits for slow servers for long; none may be left."""
    made = Pool(GitSettings(cache_dir=tmp_path / "cache", server_timeout_seconds=60, **settings))
    (tmp_path / "cache").mkdir()
    running = spawn(made.run(), name="pool")
    pids: list[int] = []
    try:
        await until(made.pids)
        yield made
    finally:
        pids = made.pids()
        await end(running)
    assert [pid for pid in pids if alive(pid)] == []


async def submit(made: Pool, url: str, *, seconds: float, key: str = "shop", **more: Any) -> Any:
    """Ask a server for its refs."""
    fields = {"ref": ("branch", "main"), "address": {"url": url, **ADDRESS}}
    deadline = asyncio.get_running_loop().time() + seconds
    return await made.submit(
        Op.LS_REMOTE, fields, trust=Trust(), key=key, network=True, deadline=deadline, **more
    )


async def local(made: Pool, *, seconds: float = 20) -> ErrorKind:
    """Ask a child about a mirror that does not exist, and return what it says."""
    deadline = asyncio.get_running_loop().time() + seconds
    fields = {"mirror": "/nowhere", "commit": "c0ffee"}
    with pytest.raises(OperationError) as failure:
        await made.submit(Op.HEAD, fields, trust=Trust(), key="local", network=False, deadline=deadline)
    return failure.value.kind


async def test_a_late_request_costs_its_child_and_its_neighbours_are_repeated(
    tmp_path: Path, silent: FaultyServer
) -> None:
    """Only the late one fails; the other one waits on in another child and keeps its own deadline."""
    async with pool(tmp_path) as made:
        (first,) = made.pids()
        late = spawn(submit(made, silent.url(), seconds=1.0, key="late"), name="late")
        other = spawn(submit(made, silent.url("other.git"), seconds=4.0, key="other"), name="other")

        with pytest.raises(OperationError) as failure:
            await late

        assert failure.value.kind is ErrorKind.TIMEOUT
        assert not other.done()
        await until(lambda: made.statistics().repeated == 1)
        await until(lambda: not alive(first))
        with pytest.raises(OperationError):
            await other
        assert await local(made) is ErrorKind.MIRROR
        assert made.statistics().killed_late == 2
        assert made.statistics().crashed == 0


async def test_an_operation_that_cost_a_child_its_life_is_alone_the_next_time(
    tmp_path: Path, silent: FaultyServer
) -> None:
    """Its own child dies; the one that works for everybody stays."""
    async with pool(tmp_path) as made:
        (first,) = made.pids()
        with pytest.raises(OperationError):
            await submit(made, silent.url(), seconds=0.8)
        await until(lambda: made.pids() and first not in made.pids())
        (main,) = made.pids()
        assert made.statistics().suspects_now == 1

        again = spawn(submit(made, silent.url(), seconds=1.2), name="again")
        await until(lambda: len(made.pids()) == 2)
        assert await local(made) is ErrorKind.MIRROR
        with pytest.raises(OperationError):
            await again

        await until(lambda: made.pids() == [main])
        assert alive(main)


async def test_an_operation_whose_children_die_fails_after_it_was_alone(
    tmp_path: Path, silent: FaultyServer
) -> None:
    """It is repeated, in the end alone; when that child dies as well, it was the cause."""
    async with pool(tmp_path) as made:
        asking = spawn(submit(made, silent.url(), seconds=60), name="asking")
        for count in range(1, 10):
            await until(lambda count=count: asking.done() or len(silent.requests) >= count)  # type: ignore[misc]
            if asking.done():
                break
            for pid in made.pids():
                os.kill(pid, 9)

        with pytest.raises(OperationError) as failure:
            await asking

        assert failure.value.kind is ErrorKind.DIED
        assert failure.value.message.endswith("died again with this operation alone")
        assert len(silent.requests) <= 4
        assert made.statistics().suspects_now == 1


async def test_a_queue_that_is_not_reached_ends_at_the_deadline(tmp_path: Path, silent: FaultyServer) -> None:
    """Eight fresh requests may be under way; the ninth says that it waited for its turn."""
    async with pool(tmp_path, young_per_child=2, slow_after_seconds=60) as made:
        waiting = [spawn(submit(made, silent.url(), seconds=30, key=f"{n}"), name=f"{n}") for n in range(2)]
        await until(lambda: made.statistics().running_now == 2)
        ended: list[str] = []

        with pytest.raises(OperationError) as failure:
            await submit(made, silent.url(), seconds=0.5, key="late", on_end=lambda: ended.append("late"))

        assert failure.value.kind is ErrorKind.TIMEOUT
        assert failure.value.message == "it waited for its turn all the time"
        assert ended == ["late"]
        assert await local(made) is ErrorKind.MIRROR
        await end(*waiting)


async def test_the_end_of_a_cancelled_request_is_when_its_child_has_stopped(
    tmp_path: Path, silent: FaultyServer
) -> None:
    """Until then it may write: who holds a lock for it must not let go."""
    async with pool(tmp_path) as made:
        ended: list[float] = []
        loop = asyncio.get_running_loop()
        began = loop.time()
        asking = submit(made, silent.url(), seconds=1.5, on_end=lambda: ended.append(loop.time() - began))
        caller = spawn(asking, name="caller")
        await until(lambda: silent.requests)

        await end(caller)
        assert ended == []
        assert made.statistics().abandoned_now == 1

        await until(lambda: ended)
        assert ended[0] >= 1.4
        assert made.statistics().running_now == 0


async def test_closing_fails_what_waits(tmp_path: Path, silent: FaultyServer) -> None:
    """Nobody waits for a pool that has ended."""
    ended: list[str] = []
    async with pool(tmp_path) as made:
        asking = spawn(
            submit(made, silent.url(), seconds=60, on_end=lambda: ended.append("end")), name="asking"
        )
        await until(lambda: silent.requests)

    with pytest.raises(OperationError) as failure:
        await asking
    assert failure.value.kind is ErrorKind.DIED
    assert ended == ["end"]
