"""A hostile namespace with real servers that drip; another namespace gets its answers in its normal time."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.git import faulty
from tests.git.conftest import MAIN, PATIENCE, key_of, running, until
from tests.git.faulty import FaultyServer, Relay
from tests.git.sshd import SshServer
from tests.gitserver import GitServer, Origin

from nopea.core.git.source import Credentials, Ref, RefKind, Remote
from nopea.core.objects import RepoKey
from nopea.core.problem import Code, SyncError
from nopea.git.port import GitPort
from nopea.git.settings import MIB, GitSettings
from nopea.tasks import end, spawn

VICTIM = RepoKey("victim", "shop")
LONG = 3600.0
# Alone it takes some tenths of a second, with the start of a child.
NORMAL_SECONDS = 3.0


@pytest_asyncio.fixture
async def port(tmp_path: Path) -> AsyncIterator[GitPort]:
    """A running port with the two main children of `nopea run`."""
    settings = GitSettings(cache_dir=tmp_path / "cache", children=2)
    async with running(GitPort(settings)) as port:
        yield port


@pytest.fixture
def dripping() -> Iterator[FaultyServer]:
    """A server that sends ten bytes a second, so that no limit on silence ends it."""
    with FaultyServer(faulty.drip_refs) as server:
        yield server


def mallory(url: str, number: int, credentials: Credentials = Credentials()) -> Remote:  # noqa: B008 — frozen
    """Return the remote of one of the hostile namespace's repositories."""
    return Remote(url, credentials, owner=RepoKey("mallory", f"drip-{number}"))


def syncs(port: GitPort, remotes: list[Remote], *, seconds: float = LONG) -> list[asyncio.Task[Any]]:
    """Begin to sync all of them."""
    return [
        spawn(port.sync(remote, MAIN, timeout_seconds=seconds), name=f"sync {number}")
        for number, remote in enumerate(remotes)
    ]


async def assert_normal(port: GitPort, remote: Remote, commit: str) -> None:
    """Check that the victim's repository is synced in its normal time."""
    began = time.monotonic()
    assert (await port.sync(remote, MAIN, timeout_seconds=PATIENCE)).id == commit
    assert time.monotonic() - began < NORMAL_SECONDS


@pytest.mark.parametrize("number", [4, 20])
async def test_drips_with_authorities_of_their_own_do_not_hold_up_ssh(
    port: GitPort, origin: Origin, tmp_path: Path, authority: tuple[str, Path, Path], number: int
) -> None:
    """Each needs a child of its own, and so does a repository that is read over SSH."""
    ca, certificate, key = authority
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with ExitStack() as stack:
        drip = stack.enter_context(FaultyServer(faulty.drip_refs, tls=context))
        ssh = stack.enter_context(SshServer(tmp_path / "sshd"))
        honest = Remote(ssh.url(origin.path), key_of(tmp_path, ssh), owner=VICTIM)
        hostile = [
            mallory(drip.url(f"{n}.git", scheme="https"), n, Credentials(ca_crt=f"{ca}# {n}\n"))
            for n in range(number)
        ]
        calls = syncs(port, hostile)
        await until(lambda: len(drip.requests) >= 4)

        await assert_normal(port, honest, origin.tip())
        await end(*calls)


@pytest.mark.parametrize("number", [60, 130])
async def test_drips_without_a_secret_do_not_hold_up_others(
    port: GitPort, server: GitServer, origin: Origin, dripping: FaultyServer, number: int
) -> None:
    """They would fill every thread of the main children; a new repository and a known one have room."""
    honest = Remote(server.url("shop.git"), owner=VICTIM)
    calls = syncs(port, [mallory(dripping.url(f"{n}.git"), n) for n in range(number)])
    await until(lambda: port.statistics().queued_now and len(dripping.requests) > 40)

    await assert_normal(port, honest, origin.tip())
    origin.commit({"a.yaml": "a: 1\n"})
    await assert_normal(port, honest, origin.tip())
    await end(*calls)


async def test_drips_in_quarantine_do_not_hold_up_others_there(
    port: GitPort, server: GitServer, origin: Origin, dripping: FaultyServer
) -> None:
    """Whose server hung once runs alone the next time, and gets a child for that."""
    hostile = [mallory(dripping.url(f"{n}.git"), n) for n in range(8)]
    with Relay(server.port, held=b"GET") as relay:
        honest = Remote(relay.url(), owner=VICTIM)
        await asyncio.gather(*syncs(port, [*hostile, honest], seconds=1), return_exceptions=True)
        await until(lambda: port.statistics().running_now == 0)
        asked = len(dripping.requests)
        calls = syncs(port, hostile)
        await until(lambda: len(dripping.requests) >= asked + 2)
        relay.gate.set()

        await assert_normal(port, honest, origin.tip())
        await end(*calls)


async def test_nobody_waits_in_anothers_queue(
    port: GitPort, server: GitServer, origin: Origin, dripping: FaultyServer
) -> None:
    """A namespace without room has asked for the same before: its requests do not keep others from it."""
    url = server.url("shop.git")
    calls = syncs(port, [mallory(dripping.url(f"{n}.git"), n) for n in range(130)])
    await until(lambda: port.statistics().queued_now and len(dripping.requests) > 40)
    calls += syncs(port, [mallory(url, 130)])
    other = Ref(RefKind.TAG, "v1")
    calls.append(spawn(port.sync(mallory(url, 131), other, timeout_seconds=LONG), name="another ref"))
    await asyncio.sleep(0.1)

    await assert_normal(port, Remote(url, owner=VICTIM), origin.tip())
    await end(*calls)


async def test_short_timeouts_do_not_keep_others_from_finishing(
    port: GitPort, server: GitServer, origin: Origin, dripping: FaultyServer
) -> None:
    """Each costs a child its life, and others what they do there. Then the namespace gets its own child."""
    with Relay(server.port) as relay:
        call = spawn(
            port.sync(Remote(relay.url(), owner=VICTIM), MAIN, timeout_seconds=PATIENCE * 2), name="victim"
        )
        await until(relay.waiting.is_set)
        for number in range(12):
            with pytest.raises(SyncError) as failure:
                await port.sync(mallory(dripping.url(f"{number}.git"), number), MAIN, timeout_seconds=0.5)
            assert failure.value.problems[0].code is Code.GIT_TIMEOUT
        assert port.statistics().repeated <= 3
        relay.gate.set()
        assert (await call).id == origin.tip()


async def test_a_new_repository_does_not_wait_for_those_of_its_namespace_that_hang(
    port: GitPort, server: GitServer, origin: Origin, dripping: FaultyServer
) -> None:
    """Also after the namespace has cost many children their lives."""
    hanging = [mallory(dripping.url(f"{number}.git"), number) for number in range(20)]
    await asyncio.gather(*syncs(port, hanging[:4], seconds=0.5), return_exceptions=True)
    calls = syncs(port, hanging)
    await until(lambda: len(dripping.requests) >= 20)

    await assert_normal(port, mallory(server.url("shop.git"), 20), origin.tip())
    await end(*calls)


async def test_a_broken_authority_does_not_delay_the_start_of_other_children(
    port: GitPort, origin: Origin, authority: tuple[str, Path, Path], root: Path
) -> None:
    """A child that cannot start is started again with pauses; they are only for this `ca.crt`."""
    ca, certificate, key = authority
    with GitServer(root, certificate=(certificate, key)) as private:
        broken = [mallory("https://h.invalid/x", n, Credentials(ca_crt=f"broken {n}")) for n in range(4)]
        calls = syncs(port, broken)
        await until(lambda: port.statistics().crashed >= 8)

        await assert_normal(
            port, Remote(private.url("shop.git"), Credentials(ca_crt=ca), owner=VICTIM), origin.tip()
        )
        await end(*calls)


async def test_parsing_of_big_files_does_not_hold_up_small_ones(
    port: GitPort, server: GitServer, root: Path, origin: Origin
) -> None:
    """A file of 900,000 values takes seconds, so a namespace parses few at a time, and not all in one go."""
    small = Remote(server.url("shop.git"), owner=VICTIM)
    commit = await port.sync(small, MAIN, timeout_seconds=PATIENCE)
    blob = origin.git("rev-parse", "main:deploy/api.yaml")
    big = Origin(root / "big.git")
    big.commit({f"{n}.yaml": f"v{n}: [{'1,' * 900_000}1]\n" for n in range(8)})
    blobs = [big.git("rev-parse", f"main:{n}.yaml") for n in range(8)]
    remotes = [mallory(server.url("big.git"), 0)]
    await asyncio.gather(*syncs(port, remotes))
    calls = [spawn(port.manifests(remotes[0], [each], timeout_seconds=LONG), name="parse") for each in blobs]
    calls.append(spawn(port.manifests(remotes[0], blobs, timeout_seconds=LONG), name="parse all"))
    await until(lambda: port.statistics().queued_now > 4)

    for _ in range(5):
        began = time.monotonic()
        assert list(await port.manifests(small, [blob], timeout_seconds=PATIENCE)) == [blob]
        assert (await port.listing(small, commit.id, "", timeout_seconds=PATIENCE)).files
        assert time.monotonic() - began < 1.0
    await end(*calls)


async def test_all_children_together_stay_within_one_budget(
    tmp_path: Path, server: GitServer, origin: Origin
) -> None:
    """Each alone is within its own limit. The namespace that needs most loses its children, no other."""
    settings = GitSettings(
        cache_dir=tmp_path / "cache", children=2, memory_bytes=400 * MIB, total_memory_bytes=300 * MIB
    )
    async with running(GitPort(settings)) as port:
        with FaultyServer(faulty.endless_refs) as endless:
            remotes = [mallory(endless.url(f"{n}.git"), n) for n in range(6)]
            calls = asyncio.gather(*syncs(port, remotes), return_exceptions=True)
            honest = spawn(
                port.sync(Remote(server.url("shop.git"), owner=VICTIM), MAIN, timeout_seconds=PATIENCE),
                name="victim",
            )
            highest = 0
            while not calls.done():
                highest = max(highest, sum(map(private_bytes, port.pids())))
                await asyncio.sleep(0.02)
            assert (await honest).id == origin.tip()

        failures = [each for each in await calls if isinstance(each, SyncError)]
    assert {failure.problems[0].code for failure in failures} == {Code.GIT_TOO_BIG}
    assert len(failures) == len(remotes)
    assert "for all processes together" in str(failures[0])
    # It is looked at four times a second.
    assert highest < settings.total_memory_bytes + 150 * MIB


def private_bytes(pid: int) -> int:
    """Return the memory that is a process's own."""
    try:
        fields = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
    except OSError:
        return 0
    return (int(fields[1]) - int(fields[2])) * os.sysconf("SC_PAGE_SIZE")
