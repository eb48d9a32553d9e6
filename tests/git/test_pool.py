"""The pool with real children: deadlines, quarantine, lanes, cancelled callers, shutdown."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.git import faulty
from tests.git.conftest import MAIN, PATIENCE, alive, until
from tests.git.faulty import FaultyServer, Relay
from tests.gitserver import GitServer, Origin

from nopea.core.git.source import Remote
from nopea.core.objects import RepoKey
from nopea.git.pool import Pool
from nopea.git.process import HOMES, Trust, git_process
from nopea.git.protocol import ErrorKind, Op
from nopea.git.request import OperationError
from nopea.git.settings import MIB, GitSettings
from nopea.git.wire import raw_address, raw_ref
from nopea.tasks import end, spawn

OWNER = RepoKey("shop", "api")


@pytest.fixture
def settings(tmp_path: Path) -> GitSettings:
    """Settings with one main child, in which a request is slow after 0.2 s."""
    return GitSettings(cache_dir=tmp_path / "cache", server_timeout_seconds=60, slow_after_seconds=0.2)


@pytest_asyncio.fixture
async def pool(settings: GitSettings) -> AsyncIterator[Pool]:
    """A running pool."""
    async with running(settings) as pool:
        yield pool


@asynccontextmanager
async def running(settings: GitSettings) -> AsyncIterator[Pool]:
    """Run a pool; a child that is left afterwards fails the test."""
    pool = Pool(settings, git_process(settings))
    task = spawn(pool.run(), name="pool")
    await until(pool.pids)
    try:
        yield pool
    finally:
        pids = pool.pids()
        await end(task)
    assert [pid for pid in pids if alive(pid)] == []


async def ask_server(
    pool: Pool,
    url: str,
    *,
    seconds: float = PATIENCE,
    key: str = "",
    trust: Trust = Trust(),  # noqa: B008 — frozen
    owner: RepoKey = OWNER,
) -> str:
    """Request the commit of main from a server, as the only request with this key."""
    key = key or url
    answer = await pool.submit(
        Op.LS_REMOTE,
        {"ref": raw_ref(MAIN), "address": raw_address(Remote(url))},
        trust=trust,
        key=key,
        network=True,
        deadline=asyncio.get_running_loop().time() + seconds,
        owner=owner,
        namespaces={owner.namespace},
        writes=key,
    )
    return str(answer["id"])


async def ask_disk(pool: Pool, op: Op = Op.HEAD, *, key: str = "disk", **fields: Any) -> Any:
    """Send a request about a mirror on disk, by default about one that does not exist."""
    return await pool.submit(
        op,
        {"mirror": "/nonexistent", "commit": "a" * 40, **fields},
        trust=Trust(),
        key=key,
        network=False,
        deadline=asyncio.get_running_loop().time() + PATIENCE,
        owner=OWNER,
        namespaces={OWNER.namespace},
    )


def is_free(pool: Pool, key: str) -> bool:
    """Return whether no child works on a request with this key."""
    free = pool.claim(key)
    if free:
        pool.disclaim(key)
    return free


async def kind_of(call: Any) -> tuple[ErrorKind, str]:
    """Await a call that must fail, and return the kind and the message of its error."""
    with pytest.raises(OperationError) as failure:
        await call
    return failure.value.kind, failure.value.message


async def test_a_child_answers(pool: Pool, server: GitServer, origin: Origin) -> None:
    """A result is returned, and an error of the child is raised with its kind."""
    assert await ask_server(pool, server.url("shop.git")) == origin.tip()
    assert await kind_of(ask_disk(pool)) == (ErrorKind.MIRROR, "the mirror cannot be opened")

    statistics = pool.statistics()
    assert (statistics.operations, statistics.started, statistics.running_now) == (2, 1, 0)


async def test_a_request_before_the_start_waits_for_a_child(settings: GitSettings) -> None:
    """A request that is submitted before the pool runs is answered after its start."""
    pool = Pool(settings, git_process(settings))
    early = spawn(kind_of(ask_disk(pool)), name="early")
    await asyncio.sleep(0)
    task = spawn(pool.run(), name="pool")

    assert (await early)[0] is ErrorKind.MIRROR
    await end(task)


async def test_a_late_request_loses_its_child_and_the_other_request_is_repeated(
    pool: Pool, server: GitServer, origin: Origin
) -> None:
    """A late request fails at its deadline and its child is killed; the other request is repeated."""
    (first,) = pool.pids()
    with FaultyServer(faulty.silent) as hanging, Relay(server.port, held=b"GET") as relay:
        neighbour = spawn(ask_server(pool, relay.url()), name="neighbour")
        await until(relay.waiting.is_set)

        assert await kind_of(ask_server(pool, hanging.url(), seconds=0.3)) == (
            ErrorKind.TIMEOUT, "the operation was still running",
        )  # fmt: skip
        relay.gate.set()
        assert await neighbour == origin.tip()

    statistics = pool.statistics()
    assert (statistics.killed_late, statistics.repeated, statistics.crashed) == (1, 1, 0)
    assert not alive(first)


async def test_a_request_that_lost_a_child_runs_alone_the_next_time(
    pool: Pool, server: GitServer, origin: Origin
) -> None:
    """A second timeout does not affect the main child, and an answer ends the quarantine."""
    with FaultyServer(faulty.silent) as hanging:
        (first,) = pool.pids()
        await kind_of(ask_server(pool, hanging.url(), seconds=0.3, key="shop"))
        await until(lambda: pool.pids() not in ([], [first]))
        (main,) = pool.pids()
        await kind_of(ask_server(pool, hanging.url(), seconds=0.6, key="shop"))

    assert main in pool.pids()
    assert pool.statistics().suspects_now == 1
    assert await ask_server(pool, server.url("shop.git"), key="shop") == origin.tip()
    assert pool.statistics().suspects_now == 0


async def test_a_request_whose_children_die_fails(pool: Pool) -> None:
    """A request whose child dies is repeated alone, in three children in turn, and fails."""
    await kind_of(ask_disk(pool))  # once a child has answered, its death is not a failed start
    quarantined = []
    with FaultyServer(faulty.silent) as hanging:
        call = spawn(kind_of(ask_server(pool, hanging.url())), name="call")
        for deaths in range(1, 5):
            await until(lambda deaths=deaths: len(hanging.requests) == deaths)  # type: ignore[misc]
            (busy,) = (member for member in pool._members if member.running)
            quarantined.append(busy.alone)
            assert busy.process.pid is not None
            os.kill(busy.process.pid, signal.SIGKILL)
        kind, message = await call

    assert quarantined == [False, True, True, True]
    assert kind is ErrorKind.DIED
    assert "crashed again with this operation alone" in message
    assert pool.statistics().suspects_now == 1


async def test_a_request_in_quarantine_has_its_own_child(pool: Pool) -> None:
    """Two suspects never share a child, because one could be blamed for the other."""
    with FaultyServer(faulty.silent) as hanging:
        for name in ("a", "b"):
            await kind_of(ask_server(pool, hanging.url(name), seconds=0.3))
        asked = len(hanging.requests)
        calls = [spawn(ask_server(pool, hanging.url(name)), name=name) for name in ("a", "b")]
        await until(lambda: len(hanging.requests) == asked + 2)

        assert [len(member.running) for member in pool._members if member.alone] == [1, 1]
        await end(*calls)


async def test_a_file_beyond_the_memory_limit_fails_alone(settings: GitSettings) -> None:
    """A child cannot allocate the file, so the request is repeated alone and then fails; no child dies."""
    big = Origin(settings.cache_dir / "big.git")
    big.commit({"big.yaml": bytes(64 * MIB)})
    blob = big.git("rev-parse", "main:big.yaml")
    async with running(replace(settings, memory_bytes=48 * MIB, max_file_bytes=100 * MIB)) as pool:
        kind, _ = await kind_of(ask_disk(pool, Op.READ, mirror=str(big.path), blobs=[blob]))

    assert kind is ErrorKind.MEMORY
    assert pool.statistics().repeated == 1
    assert pool.statistics().crashed == 0


async def test_a_child_that_grows_over_the_limit_is_killed(settings: GitSettings) -> None:
    """Resident memory includes mapped files. The request fails after a second attempt alone."""
    limit = 26 * MIB  # an idle child allocates 17 MiB and has 33 MiB resident
    async with running(replace(settings, memory_bytes=limit)) as pool:
        with FaultyServer(faulty.silent) as hanging:
            kind, message = await kind_of(ask_server(pool, hanging.url()))

    assert (kind, message) == (ErrorKind.MEMORY, f"it needs more than {limit} bytes")
    assert pool.statistics().killed_big == 2
    assert pool.statistics().suspects_now == 1


async def test_a_request_that_never_ran_kills_no_child(settings: GitSettings) -> None:
    """A queued request fails at its deadline with the reason that no Git process was free."""
    async with running(replace(settings, young_per_child=1, slow_after_seconds=60)) as pool:
        with FaultyServer(faulty.silent) as hanging:
            first = spawn(ask_server(pool, hanging.url("a")), name="first")
            await until(lambda: hanging.requests)

            assert await kind_of(ask_server(pool, hanging.url("b"), seconds=0.1)) == (
                ErrorKind.TIMEOUT, "no process was free before the deadline",
            )  # fmt: skip
            assert is_free(pool, hanging.url("b"))
            assert pool.statistics().killed_late == 0
            await end(first)


async def test_a_slow_request_makes_room_for_new_ones(
    settings: GitSettings, server: GitServer, origin: Origin
) -> None:
    """A hanging request blocks a slot for new ones only for `slow_after_seconds`, not until its deadline."""
    async with running(replace(settings, young_per_child=1)) as pool:
        with FaultyServer(faulty.silent) as hanging:
            stuck = spawn(ask_server(pool, hanging.url()), name="stuck")
            await until(lambda: hanging.requests)

            assert await ask_server(pool, server.url("shop.git"), seconds=5) == origin.tip()
            assert not stuck.done()
            await end(stuck)


async def test_a_server_known_as_slow_uses_the_slow_lane(settings: GitSettings) -> None:
    """The next request to a slow server uses the slow lane at once, until the server answers quickly."""

    delay = threading.Event()

    def hesitate(connection: socket.socket, request: bytes) -> None:
        del request
        delay.wait(0.4)
        connection.sendall(faulty.answer("200 OK", headers=faulty.ADVERTISEMENT, body=faulty.refs()))

    async with running(settings) as pool:
        with FaultyServer(hesitate) as slow:
            await ask_server(pool, slow.url())
            assert pool._reputation.is_slow((OWNER.namespace, slow.url()))
            delay.set()
            await ask_server(pool, slow.url())
            assert not pool._reputation.is_slow((OWNER.namespace, slow.url()))


async def test_disk_work_does_not_wait_for_the_network(settings: GitSettings) -> None:
    """Requests about mirrors on disk have their own threads."""
    async with running(
        replace(settings, threads_per_child=14, young_per_child=4, slow_after_seconds=60)
    ) as pool:
        with FaultyServer(faulty.silent) as hanging:
            stuck = [spawn(ask_server(pool, hanging.url(f"{n}")), name=f"stuck {n}") for n in range(4)]
            await until(lambda: len(hanging.requests) == 2)
            assert pool.statistics().queued_now == 2

            assert (await kind_of(ask_disk(pool)))[0] is ErrorKind.MIRROR
            await end(*stuck)


async def test_a_cancelled_request_ends_when_its_child_has_ended(pool: Pool) -> None:
    """Cancellation drops the result, not the work: the next writer waits until the child has ended."""
    with FaultyServer(faulty.silent) as hanging:
        call = spawn(ask_server(pool, hanging.url(), key="shop", seconds=1), name="call")
        await until(lambda: hanging.requests)
        await end(call)

        assert call.cancelled()
        assert not is_free(pool, "shop")
        assert pool.statistics().abandoned_now == 1
        (child,) = pool.pids()
        await until(lambda: is_free(pool, "shop"))
        assert not alive(child)


async def test_a_cancelled_request_in_the_queue_ends_at_once(settings: GitSettings) -> None:
    """A cancelled request in the queue ends at once and is never sent to a child."""
    async with running(replace(settings, young_per_child=1, slow_after_seconds=60)) as pool:
        with FaultyServer(faulty.silent) as hanging:
            first = spawn(ask_server(pool, hanging.url("a")), name="first")
            await until(lambda: hanging.requests)
            second = spawn(ask_server(pool, hanging.url("b"), key="b"), name="second")
            await until(lambda: pool.statistics().queued_now == 1)
            await end(second)

            assert is_free(pool, "b")
            assert pool.statistics().queued_now == 0
            await end(first)
        assert len(hanging.requests) == 1


async def test_too_many_cancelled_requests_end_the_oldest(settings: GitSettings) -> None:
    """The number of abandoned requests is bounded: the child of the oldest one is killed."""
    async with running(replace(settings, max_abandoned=1)) as pool:
        with FaultyServer(faulty.silent) as hanging:
            for name in ("a", "b"):
                call = spawn(ask_server(pool, hanging.url(name), key=name), name=name)
                await until(lambda name=name: any(name in r.decode().split()[1] for r in hanging.requests))  # type: ignore[misc]
                await end(call)
            await until(lambda: is_free(pool, "a") and is_free(pool, "b"))

    assert pool.statistics().killed_late == 1


async def test_each_trust_has_a_child_and_idle_ones_make_room(
    settings: GitSettings, server: GitServer, origin: Origin
) -> None:
    """A child serves only one set of known hosts; an idle child ends to make room for another set."""
    async with running(replace(settings, trust_children=1)) as pool:
        main = pool.pids()
        for hosts in ("a ssh-ed25519 AAAA", "b ssh-ed25519 AAAA"):
            url = server.url("shop.git")
            assert await ask_server(pool, url, trust=Trust(known_hosts=hosts)) == origin.tip()
        await until(lambda: len(pool.pids()) == 2)

        assert pool.statistics().started == 3
        assert main[0] in pool.pids()


async def test_a_trust_waits_while_all_children_for_trusts_are_busy(
    settings: GitSettings, server: GitServer
) -> None:
    """A request with another trust waits for a free child; the main child never serves it."""
    async with running(replace(settings, trust_children=1)) as pool:
        with Relay(server.port, held=b"GET") as relay:
            first = spawn(ask_server(pool, relay.url(), trust=Trust(known_hosts="a x y")), name="first")
            await until(relay.waiting.is_set)
            second = spawn(
                ask_server(pool, server.url("shop.git"), trust=Trust(known_hosts="b x y")), name="second"
            )
            await until(lambda: pool.statistics().queued_now == 1)
            relay.gate.set()

            assert await first == await second


async def test_an_idle_extra_child_ends(
    settings: GitSettings, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An idle child for a trust ends, so that it uses no memory; the main child stays."""
    monkeypatch.setattr("nopea.git.pool._IDLE_SECONDS", 0.1)
    async with running(settings) as pool:
        (main,) = pool.pids()
        await ask_server(pool, server.url("shop.git"), trust=Trust(known_hosts="a x y"))

        await until(lambda: pool.pids() == [main])


async def test_a_child_that_cannot_start_fails_its_request(pool: Pool) -> None:
    """A few starts are tried, with pauses; other children are not affected."""
    main = pool.pids()

    kind, _ = await kind_of(ask_server(pool, "https://h.invalid/x", trust=Trust(ca_crt="not a certificate")))

    assert kind is ErrorKind.DIED
    assert pool.pids() == main
    assert pool.statistics().crashed == 4


async def test_a_pool_recovers_when_children_can_start_again(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After failed starts, the pool serves requests again as soon as a child can start."""
    python, broken = sys.executable, tmp_path / "broken"
    broken.write_text("#!/bin/sh\nexit 3\n", encoding="ascii")
    broken.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(broken))
    os.kill(pool.pids()[0], signal.SIGKILL)
    await until(lambda: pool.statistics().crashed >= 3)

    monkeypatch.setattr(sys, "executable", python)

    assert (await kind_of(ask_disk(pool)))[0] is ErrorKind.MIRROR


async def test_stopping_fails_running_and_queued_requests(settings: GitSettings) -> None:
    """Running and queued requests fail, and no child or home folder is left."""
    async with running(replace(settings, young_per_child=1, slow_after_seconds=60)) as pool:
        with FaultyServer(faulty.silent) as hanging:
            calls = [
                spawn(kind_of(ask_server(pool, hanging.url(name), key=name)), name=name)
                for name in ("a", "b")
            ]
            await until(lambda: hanging.requests)
            (task,) = (task for task in asyncio.all_tasks() if task.get_name() == "pool")
            await end(task)

            assert {await call for call in calls} == {(ErrorKind.DIED, "the controller is closing")}

    assert list((settings.cache_dir / HOMES).iterdir()) == []
