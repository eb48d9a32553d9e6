"""The budget of disk with real children: who has to go, which fetch is stopped, and what a kill leaves."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest
from tests.git import faulty
from tests.git.conftest import MAIN, PATIENCE, children, files_of, running, until
from tests.git.faulty import FaultyServer, Relay
from tests.gitserver import GitServer, Origin

from nopea.core.git.source import Remote
from nopea.core.objects import RepoKey
from nopea.core.problem import Code, SyncError, TransientError
from nopea.git.folder import occupied
from nopea.git.port import GitPort
from nopea.git.settings import MIB, GitSettings
from nopea.git.wire import mirror_name
from nopea.tasks import end, spawn

T = PATIENCE


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GitSettings:
    """Eight MiB for all mirrors, so two for each, and half of one is kept free; measured often."""
    monkeypatch.setattr("nopea.git.disk._WATCH_SECONDS", 0.02)
    return GitSettings(cache_dir=tmp_path / "cache", disk_bytes=8 * MIB)


def remotes(server: GitServer, root: Path, count: int, *, namespace: str = "shop") -> list[Remote]:
    """Make repositories of about one MiB each, which no compression makes smaller."""
    made = []
    for number in range(count):
        name = f"{namespace}{number}.git"
        Origin(root / name).commit({"a.yaml": "a: 1\n", "big": os.urandom(MIB)})
        made.append(Remote(server.url(name), owner=RepoKey(namespace, str(number))))
    return made


def present(settings: GitSettings, some: list[Remote]) -> list[int]:
    """Return the numbers of the remotes whose mirrors are on disk."""
    names = {path.name for path in settings.cache_dir.iterdir()}
    return [number for number, remote in enumerate(some) if mirror_name(remote) in names]


async def measured(port: GitPort, count: int) -> None:
    """Wait until so many mirrors have been measured."""
    await until(lambda: port.statistics().mirrors_now == count)


async def problem_of(port: GitPort, remote: Remote) -> tuple[Code, str]:
    """Sync, expect a problem that retrying can solve, and return it."""
    with pytest.raises(TransientError) as failure:
        await port.sync(remote, MAIN, timeout_seconds=T)
    (problem,) = failure.value.problems
    return problem.code, problem.message


async def test_the_least_recently_used_mirrors_make_room(
    port: GitPort, server: GitServer, root: Path, settings: GitSettings
) -> None:
    """The budget holds, a mirror that was read since stays, and what is gone is cloned again when needed."""
    some = remotes(server, root, 9)
    commits = []
    for number, remote in enumerate(some[:6]):
        commits.append(await port.sync(remote, MAIN, timeout_seconds=T))
        await measured(port, number + 1)
    await files_of(port, some[0], commits[0].id, "", timeout_seconds=T)
    for remote in some[6:]:
        await port.sync(remote, MAIN, timeout_seconds=T)
        await asyncio.sleep(0.2)

    left = present(settings, some)
    assert left[0] == 0
    assert left[-4:] == [5, 6, 7, 8]
    assert 1 not in left
    assert occupied(settings.cache_dir) < settings.disk_bytes
    assert len(await files_of(port, some[1], commits[1].id, "", timeout_seconds=T)) == 1


async def test_a_namespace_with_too_many_mirrors_loses_its_own(
    port: GitPort, server: GitServer, root: Path, settings: GitSettings
) -> None:
    """One that uses many URLs all the time cannot push out another one's mirror."""
    (victim,) = remotes(server, root, 1, namespace="victim")
    greedy = remotes(server, root, 10, namespace="greedy")
    await port.sync(victim, MAIN, timeout_seconds=T)
    await measured(port, 1)

    for remote in greedy:
        await port.sync(remote, MAIN, timeout_seconds=T)
        await asyncio.sleep(0.2)

    assert present(settings, [victim]) == [0]
    assert 4 <= len(present(settings, greedy)) < 8


async def test_a_mirror_in_use_stays(
    port: GitPort, server: GitServer, root: Path, settings: GitSettings
) -> None:
    """A mirror that is being fetched into is not removed, however long that takes."""
    others, origin = remotes(server, root, 8), Origin(root / "busy.git")
    origin.commit({"a.yaml": "a: 1\n", "big": os.urandom(MIB)})
    with Relay(server.port) as relay:
        relay.gate.set()
        busy = Remote(relay.url("busy.git"))
        await port.sync(busy, MAIN, timeout_seconds=T)
        await measured(port, 1)
        relay.gate.clear()
        relay.waiting.clear()
        newer = origin.commit({"a.yaml": "a: 2\n"})
        fetching = spawn(port.sync(busy, MAIN, timeout_seconds=T), name="fetching")
        await until(relay.waiting.is_set)
        for remote in others:
            await port.sync(remote, MAIN, timeout_seconds=T)
            await asyncio.sleep(0.2)

        assert present(settings, [busy]) == [0]
        assert present(settings, others)[-3:] == [5, 6, 7]
        assert 0 not in present(settings, others)
        relay.gate.set()
        assert (await fetching).id == newer


async def test_many_big_fetches_at_once_are_stopped_before_the_disk_is_full(
    port: GitPort, server: GitServer, root: Path, settings: GitSettings
) -> None:
    """Servers that send much and never end: the budget holds, and small repositories are cloned meanwhile."""
    await children(port)
    with FaultyServer(faulty.big_pack(int(1.8 * MIB))) as hostile:
        hogs = [
            spawn(problem_of(port, Remote(hostile.url(f"h{number}.git"))), name="hog") for number in range(7)
        ]
        await until(lambda: sum(hog.done() for hog in hogs) >= 3)
        stopped = [await hog for hog in hogs if hog.done()]
        for remote in remotes(server, root, 2):
            await port.sync(remote, MAIN, timeout_seconds=T)
        await until(lambda: occupied(settings.cache_dir) < settings.disk_bytes)
        assert not all(hog.done() for hog in hogs)
        await end(*hogs)

    assert {code for code, _ in stopped} == {Code.GIT_DISK}
    assert all("the mirrors in use fill the 8 MiB of --git-disk" in message for _, message in stopped)


async def test_one_mirror_has_a_quarter_of_the_budget(port: GitPort, server: GitServer, root: Path) -> None:
    """A repository that is too big for it is refused as such, and keeps nothing on disk."""
    Origin(root / "big.git").commit({"big": os.urandom(3 * MIB)})

    with pytest.raises(SyncError) as failure:
        await port.sync(Remote(server.url("big.git")), MAIN, timeout_seconds=T)

    assert [problem.code for problem in failure.value.problems] == [Code.GIT_TOO_BIG]
    await until(lambda: port.statistics().mirror_bytes_now == 0)


async def test_nothing_is_fetched_onto_a_full_file_system(
    settings: GitSettings, server: GitServer, root: Path
) -> None:
    """Too little free space refuses new fetches at once; what is there stays and is read."""
    (kept, new) = remotes(server, root, 2)
    async with running(GitPort(settings)) as port:
        commit = await port.sync(kept, MAIN, timeout_seconds=T)
    full = GitSettings(cache_dir=settings.cache_dir, free_bytes=2**60)
    async with running(GitPort(full)) as port:
        code, message = await problem_of(port, new)

        assert (code, new.url in message) == (Code.GIT_DISK, True)
        assert "are free in the file system of the cache folder" in message
        assert len(await files_of(port, kept, commit.id, "", timeout_seconds=T)) == 1
        assert port.statistics().mirrors_now == 1


async def test_a_killed_controller_leaves_nothing_half_made(
    settings: GitSettings, server: GitServer, root: Path
) -> None:
    """After SIGKILL during a clone and a fetch, the next process removes what they left, and goes on."""
    folder, (good,) = settings.cache_dir, remotes(server, root, 1)
    async with running(GitPort(settings)) as port:
        commit = await port.sync(good, MAIN, timeout_seconds=T)
    mirror = folder / mirror_name(good)
    for name in ("objects/pack/pack_1a2b3c", "shallow.lock", "refs/heads/main.lock"):
        (mirror / name).write_bytes(bytes(MIB))
    with FaultyServer(faulty.big_pack(MIB)) as hostile:
        code = (
            "import asyncio, pathlib\n"
            "from nopea.core.git.source import Ref, RefKind, Remote\n"
            "from nopea.git.port import GitPort\n"
            "from nopea.git.settings import GitSettings\n"
            "async def main():\n"
            f"    port = GitPort(GitSettings(cache_dir=pathlib.Path({str(folder)!r})))\n"
            "    async with asyncio.TaskGroup() as group:\n"
            "        group.create_task(port.run())\n"
            f"        remote = Remote({hostile.url()!r})\n"
            "        await port.sync(remote, Ref(RefKind.BRANCH, 'main'), timeout_seconds=60)\n"
            "asyncio.run(main())\n"
        )
        parent = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
        await until(lambda: [path for path in folder.glob("*.new-*") if occupied(path) > MIB])
        parent.kill()
        await parent.wait()

    async with running(GitPort(settings)) as port:
        (pid,) = await children(port)
        assert {path.name for path in folder.iterdir()} == {mirror.name, ".children"}
        assert len([*(folder / ".children").iterdir()]) == 1
        assert pid != parent.pid
        assert occupied(mirror) < 2 * MIB
        assert (await port.sync(good, MAIN, timeout_seconds=T)).id == commit.id


async def test_a_relative_cache_folder_works(
    tmp_path: Path, server: GitServer, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The children have working folders of their own."""
    monkeypatch.chdir(tmp_path)
    async with running(GitPort(GitSettings(cache_dir=Path("here")))) as port:
        commit = await port.sync(Remote(server.url("shop.git")), MAIN, timeout_seconds=T)

    assert commit.id == origin.tip()
    assert len([*(tmp_path / "here").glob("*.git")]) == 1
