"""The Git port with servers that misbehave and children that die: which calls are affected, and how."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import statistics
import sys
import time
from pathlib import Path

import pytest
from tests.git import faulty
from tests.git.conftest import MAIN, PATIENCE, alive, children, until
from tests.git.faulty import FaultyServer, Relay
from tests.gitserver import GitServer, Origin

from nopea.core.git.source import Remote
from nopea.core.problem import Code, StalledError, SyncError, TransientError
from nopea.git.port import GitPort
from nopea.git.process import GitProcess, Trust
from nopea.git.settings import MIB, GitSettings
from nopea.tasks import end, spawn

HTML = b"Content-Type: text/html\r\n"


@pytest.fixture
def settings(tmp_path: Path) -> GitSettings:
    """Short timeouts, so that a server that hangs delays a test only by about a second."""
    return GitSettings(
        cache_dir=tmp_path / "cache", server_timeout_seconds=5, slow_after_seconds=0.2, memory_bytes=256 * MIB
    )


async def problem_of(port: GitPort, url: str, *, seconds: float = 8) -> tuple[type[SyncError], Code]:
    """Sync from a server that fails, and return the error's type and code."""
    with pytest.raises(SyncError) as failure:
        await port.sync(Remote(url), MAIN, timeout_seconds=seconds)
    (problem,) = failure.value.problems
    assert url in problem.message
    assert problem.hint
    return type(failure.value), problem.code


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        (faulty.hang_up, Code.GIT_UNREACHABLE),
        (faulty.always(faulty.answer("500 Oops")), Code.GIT_UNREACHABLE),
        (faulty.always(faulty.answer("503 Busy")), Code.GIT_UNREACHABLE),
        (faulty.always(faulty.answer("404 Not Found")), Code.GIT_NOT_FOUND),
        (faulty.always(faulty.answer("401 Unauthorized")), Code.GIT_AUTHENTICATION),
        (faulty.always(faulty.answer("403 Forbidden")), Code.GIT_AUTHENTICATION),
        (faulty.always(faulty.answer("200 OK", headers=HTML, body=b"<p>")), Code.GIT_PROTOCOL),
        (faulty.always(faulty.answer("200 OK", headers=faulty.ADVERTISEMENT, body=b"zz")), Code.GIT_PROTOCOL),
        (faulty.always(faulty.answer("200 OK", headers=faulty.ADVERTISEMENT, body=b"")), Code.GIT_PROTOCOL),
        (faulty.packing(faulty.cut_in_pack), Code.GIT_UNREACHABLE),
        (faulty.packing(faulty.garbage_pack), Code.GIT_PROTOCOL),
    ],
    ids=[
        "hangs up", "500", "503", "404", "401", "403", "a web page", "no pkt-lines", "nothing",
        "cut in the pack", "garbage for a pack",
    ],
)  # fmt: skip
async def test_a_server_that_fails_is_reported_with_its_code(
    port: GitPort, behaviour: faulty.Behaviour, code: Code
) -> None:
    """Each failure is reported at once with its code, and no child is lost."""
    with FaultyServer(behaviour) as server:
        kind, found = await problem_of(port, server.url())

    stalled = code in (Code.GIT_NOT_FOUND, Code.GIT_AUTHENTICATION)
    assert (found, kind) == (code, StalledError if stalled else TransientError)
    assert port.statistics().started == 1


async def test_a_wrong_length_and_a_redirect_loop_are_errors(port: GitPort) -> None:
    """A body shorter than its Content-Length and a redirect loop are errors and do not hang."""

    def lie(connection: socket.socket, request: bytes) -> None:
        connection.sendall(
            faulty.answer("200 OK", headers=faulty.ADVERTISEMENT, body=faulty.refs()[:50], length=500)
        )
        faulty.hang_up(connection, request)

    loop = faulty.answer("302 Found", headers=b"Location: /shop.git/info/refs?service=git-upload-pack\r\n")
    with FaultyServer(lie) as liar, FaultyServer(faulty.always(loop)) as looper:
        assert (await problem_of(port, liar.url()))[1] in (Code.GIT_PROTOCOL, Code.GIT_UNREACHABLE)
        assert (await problem_of(port, looper.url()))[1] in (Code.GIT_PROTOCOL, Code.GIT_UNREACHABLE)
        assert len(looper.requests) < 20


async def test_what_libgit2_cannot_read_is_named(port: GitPort, root: Path) -> None:
    """SHA-256 ids, a shallow clone on the server, a loop of redirects, and a server without Git."""
    full = Origin(root / "full.git")
    for number in range(3):
        full.commit({"a.yaml": f"a: {number}\n"})
    full.git(
        "clone", "-q", "--bare", "--depth=1", f"file://{full.path}", str(root / "shallow.git"), inside=False
    )
    full.git("init", "-q", "--bare", "--object-format=sha256", str(root / "sha256.git"), inside=False)
    Origin(root / "sha256.git").commit({"a.yaml": "a: 1\n"})
    loop = faulty.answer("302 Found", headers=b"Location: /shop.git/info/refs?service=git-upload-pack\r\n")
    dumb = faulty.answer("200 OK", headers=b"Content-Type: text/plain\r\n", body=b"no pkt-line")

    with (
        GitServer(root) as server,
        FaultyServer(faulty.always(loop)) as looping,
        FaultyServer(faulty.always(dumb)) as old,
    ):
        for url, words in (
            (server.url("sha256.git"), "repositories with SHA-256 ids are not supported"),
            (server.url("shallow.git"), "shallow clone"),
            (looping.url(), "it redirects again and again"),
            (old.url(), "dumb protocol"),
        ):
            with pytest.raises(SyncError, match=words) as failure:
                await port.sync(Remote(url), MAIN, timeout_seconds=PATIENCE)
            assert failure.value.problems[0].code is Code.GIT_PROTOCOL


async def test_a_closed_port_and_an_unknown_host_are_unreachable(port: GitPort) -> None:
    """A closed port and an unknown host name are reported as unreachable."""
    with FaultyServer(faulty.hang_up) as server:
        closed = server.url()
    assert await problem_of(port, closed) == (TransientError, Code.GIT_UNREACHABLE)
    assert await problem_of(port, "http://git.invalid/shop.git") == (TransientError, Code.GIT_UNREACHABLE)


@pytest.mark.parametrize(
    "behaviour",
    [faulty.silent, faulty.drip_refs, faulty.packing(faulty.stop_in_pack), faulty.packing(faulty.drip_pack)],
    ids=["silent", "drips refs", "stops in the pack", "drips the pack"],
)
async def test_a_server_that_never_ends_fails_at_the_deadline(
    port: GitPort, behaviour: faulty.Behaviour
) -> None:
    """The call ends at its deadline, whatever libgit2 does, and no operation is left running."""
    with FaultyServer(behaviour) as server:
        began = time.monotonic()
        assert await problem_of(port, server.url(), seconds=0.8) == (TransientError, Code.GIT_TIMEOUT)
        assert 0.5 < time.monotonic() - began < 2
    await until(lambda: port.statistics().running_now == 0)


async def test_a_clone_that_was_killed_leaves_nothing_on_the_disk(
    port: GitPort, settings: GitSettings
) -> None:
    """Otherwise each attempt leaves up to a gigabyte, until the disk is full for everybody."""
    with FaultyServer(faulty.packing(faulty.drip_pack)) as server:
        for _ in range(3):
            assert await problem_of(port, server.url(), seconds=0.8) == (TransientError, Code.GIT_TIMEOUT)

    await until(lambda: not [*settings.cache_dir.glob("*.new-*")])
    assert [*settings.cache_dir.glob("*.git*")] == []


async def test_libgit2_times_out_before_the_parent_kills_the_child(tmp_path: Path) -> None:
    """With a long deadline, the server timeout ends a silent connection inside the child."""
    port = GitPort(GitSettings(cache_dir=tmp_path / "cache", server_timeout_seconds=0.5))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(port.run())
        with FaultyServer(faulty.silent) as server:
            assert await problem_of(port, server.url(), seconds=PATIENCE) == (
                TransientError,
                Code.GIT_TIMEOUT,
            )
        assert port.statistics().killed_late == 0
        running.cancel()


async def test_endless_refs_use_bounded_memory(port: GitPort, server: GitServer) -> None:
    """Endless refs are reported as too big, and no child uses much more memory than its limit."""
    with FaultyServer(faulty.endless_refs) as hostile:
        task = spawn(problem_of(port, hostile.url(), seconds=PATIENCE), name="hostile")
        highest = 0
        while not task.done():
            highest = max([highest, *(_resident(pid) for pid in port.pids())])
            await asyncio.sleep(0.05)
        assert await task == (StalledError, Code.GIT_TOO_BIG)

    assert highest < 400 * MIB
    await port.sync(Remote(server.url("shop.git")), MAIN, timeout_seconds=PATIENCE)


def _resident(pid: int) -> int:
    try:
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


async def test_other_calls_beside_a_late_operation_are_repeated(
    port: GitPort, server: GitServer, origin: Origin
) -> None:
    """When a child is killed for a late operation, other calls in that child are repeated and succeed."""
    with FaultyServer(faulty.drip_refs) as slow, Relay(server.port) as relay:
        neighbour = spawn(port.sync(Remote(relay.url()), MAIN, timeout_seconds=PATIENCE), name="neighbour")
        await until(relay.waiting.is_set)
        assert await problem_of(port, slow.url(), seconds=0.5) == (TransientError, Code.GIT_TIMEOUT)
        relay.gate.set()
        assert (await neighbour).id == origin.tip()

    assert (port.statistics().killed_late, port.statistics().repeated) == (1, 1)


async def test_an_operation_that_lost_a_child_runs_alone_until_it_succeeds(
    port: GitPort, root: Path, origin: Origin
) -> None:
    """A late remote is retried in a separate child: its second timeout does not affect the main child."""
    del origin
    with FaultyServer(faulty.drip_refs) as slow:
        url, number = slow.url(), slow.port
        (first,) = port.pids()
        await problem_of(port, url, seconds=0.5)
        await until(lambda: first not in port.pids())
        (main,) = await children(port)
        await problem_of(port, url, seconds=0.8)
        assert main in port.pids()
        assert port.statistics().suspects_now == 1
        assert port.statistics().killed_late == 2

    with GitServer(root, port=number):
        await port.sync(Remote(url), MAIN, timeout_seconds=PATIENCE)
    assert port.statistics().suspects_now == 0
    assert main in port.pids()


async def test_a_child_killed_in_the_middle_is_replaced_and_its_work_repeated(
    port: GitPort, server: GitServer, origin: Origin
) -> None:
    """After SIGKILL during a fetch, the request is repeated and succeeds."""
    with Relay(server.port) as relay:
        sync = spawn(port.sync(Remote(relay.url()), MAIN, timeout_seconds=PATIENCE), name="sync")
        await until(relay.waiting.is_set)
        (pid,) = port.pids()
        os.kill(pid, signal.SIGKILL)
        await until(lambda: not alive(pid))
        relay.gate.set()

        assert (await sync).id == origin.tip()

    assert port.statistics().crashed == 1
    assert pid not in await children(port)


async def test_sending_to_a_child_that_has_just_died_is_not_an_error(settings: GitSettings) -> None:
    """Frames for a child that has died are dropped until its death is noticed."""
    child = GitProcess("1", settings, Trust(), on_answer=lambda _: None)
    running = spawn(child.run(), name="child")
    await until(lambda: child.ready)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    while not running.done():
        child.send(b"\0")
        await asyncio.sleep(0)
    await running


@pytest.mark.alone
async def test_hanging_servers_do_not_slow_healthy_ones_down(
    port: GitPort, server: GitServer, root: Path
) -> None:
    """Forty servers that hang hardly increase the latency of healthy repositories."""
    for number in range(30):
        Origin(root / f"r{number}.git").commit({"a.yaml": f"n: {number}\n"})

    async def poll(name: str) -> float:
        began = time.monotonic()
        await port.ls_remote(Remote(server.url(name)), MAIN, timeout_seconds=PATIENCE)
        return time.monotonic() - began

    alone = [await poll(f"r{number}.git") for number in range(30)]
    with FaultyServer(faulty.silent) as hanging:
        stuck = [
            spawn(
                port.sync(Remote(hanging.url(f"h{number}.git")), MAIN, timeout_seconds=PATIENCE), name="stuck"
            )
            for number in range(40)
        ]
        await until(lambda: len(hanging.requests) >= 20)
        beside = [await poll(f"r{number}.git") for number in range(30)]
        assert port.statistics().killed_late == 0
        await end(*stuck)

    assert statistics.median(beside) < 3 * statistics.median(alone) + 0.05
    assert max(beside) < max(alone) + 2


async def test_a_cancelled_caller_leaves_no_queued_request(port: GitPort) -> None:
    """Cancellation drops queued requests at once; the number of abandoned running requests is bounded."""
    with FaultyServer(faulty.silent) as hanging:
        tasks = [
            spawn(port.sync(Remote(hanging.url(f"h{number}.git")), MAIN, timeout_seconds=60), name="caller")
            for number in range(60)
        ]
        await until(lambda: len(hanging.requests) >= 8)
        await end(*tasks)
        await until(lambda: port.statistics().queued_now == 0)
        await until(lambda: port.statistics().abandoned_now <= 32)


async def test_a_cancelled_sync_keeps_others_out_of_its_mirror_while_its_child_writes(
    port: GitPort, server: GitServer, origin: Origin
) -> None:
    """A GitRepository that is deleted and created again during its first clone has one writer at a time."""
    with Relay(server.port) as relay:
        remote = Remote(relay.url())
        first = spawn(port.sync(remote, MAIN, timeout_seconds=PATIENCE), name="first")
        await until(relay.waiting.is_set)
        await end(first)
        second = spawn(port.sync(remote, MAIN, timeout_seconds=PATIENCE), name="second")
        await asyncio.sleep(0.3)
        assert (port.statistics().abandoned_now, port.statistics().queued_now) == (1, 1)

        relay.gate.set()
        assert (await second).id == origin.tip()

    assert server.requests["shop.git git-upload-pack POST"] == 1  # the second found what the first fetched


async def test_each_waiter_keeps_its_own_deadline(port: GitPort, server: GitServer, origin: Origin) -> None:
    """Of two callers that share a fetch, one can time out while the other still gets the commit."""
    with Relay(server.port) as relay:
        remote = Remote(relay.url())
        patient = spawn(port.sync(remote, MAIN, timeout_seconds=PATIENCE), name="patient")
        await until(relay.waiting.is_set)
        with pytest.raises(TransientError):
            await port.sync(remote, MAIN, timeout_seconds=0.2)
        relay.gate.set()
        assert (await patient).id == origin.tip()


async def test_nothing_is_left_when_the_port_ends(settings: GitSettings) -> None:
    """Stopping the port during an operation kills and reaps its children and fails the calls."""
    port = GitPort(settings)
    running = spawn(port.run(), name="git port")
    (pid,) = await children(port)
    with FaultyServer(faulty.silent) as hanging:
        call = spawn(port.sync(Remote(hanging.url()), MAIN, timeout_seconds=60), name="call")
        await until(lambda: hanging.requests)
        await end(running)
        with pytest.raises((SyncError, asyncio.CancelledError)):
            await call

    assert not alive(pid)
    assert not list((settings.cache_dir / ".children").iterdir())


async def test_a_child_does_not_outlive_its_parent(tmp_path: Path) -> None:
    """When the controller is killed with SIGKILL, its children end within seconds."""
    code = (
        "import asyncio, pathlib\n"
        "from nopea.git.port import GitPort\n"
        "from nopea.git.settings import GitSettings\n"
        "async def main():\n"
        f"    port = GitPort(GitSettings(cache_dir=pathlib.Path({str(tmp_path)!r})))\n"
        "    async with asyncio.TaskGroup() as group:\n"
        "        group.create_task(port.run())\n"
        "        while not port.pids(): await asyncio.sleep(0.01)\n"
        "        await asyncio.sleep(0.5)\n"
        "        print(*port.pids(), flush=True)\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    (pid,) = map(int, (await parent.stdout.readline()).split())
    parent.kill()
    await parent.communicate()

    await until(lambda: not _runs(pid), seconds=5)


def _runs(pid: int) -> bool:
    """Return whether a process that we cannot reap is running; a zombie is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
