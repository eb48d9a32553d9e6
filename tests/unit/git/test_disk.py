"""The budget of disk without children: the choice of mirrors that go, turns of writers, and measuring."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from nopea.git.disk import Disk, Mirror, choose, over_share
from nopea.git.protocol import ErrorKind
from nopea.git.request import OperationError
from nopea.git.settings import MIB, GitSettings
from nopea.tasks import end, spawn

NOBODY: frozenset[str] = frozenset()


def mirror(name: str, size: int, *namespaces: str) -> Mirror:
    """Return a mirror of some namespaces."""
    return Mirror(name, bytes=size, namespaces=set(namespaces))


def names(mirrors: list[Mirror]) -> str:
    """Return the names."""
    return "".join(each.name for each in mirrors)


@pytest.mark.parametrize(
    ("lacking", "chosen"), [(0, ""), (1, "a"), (10, "a"), (11, "ab"), (30, "abc"), (31, "")]
)
def test_as_few_as_needed_go(lacking: int, chosen: str) -> None:
    """The least recently used one goes first; none goes if all of them together are not enough."""
    idle = [mirror(name, 10, "shop") for name in "abc"]

    assert names(choose(idle, lacking, NOBODY)) == chosen


def test_mirrors_of_greedy_namespaces_go_first() -> None:
    """One that a modest namespace has too, or nobody has asked for since the start, is not one."""
    idle = [
        mirror("a", 10, "modest"),
        mirror("b", 10),
        mirror("c", 10, "greedy", "modest"),
        mirror("d", 10, "greedy"),
    ]

    assert names(choose(idle, 15, frozenset({"greedy"}))) == "da"


def test_the_share_of_a_namespace_is_an_equal_part() -> None:
    """A mirror of two namespaces is charged to each by half; what nobody has asked for counts for none."""
    mirrors = [
        mirror("a", 40, "one"),
        mirror("b", 40, "one", "two"),
        mirror("c", 10, "three"),
        mirror("d", 90),
    ]

    assert over_share(mirrors, 100) == {"one"}
    assert over_share(mirrors, 200) == NOBODY
    assert over_share([], 100) == NOBODY


@pytest.fixture
def settings(tmp_path: Path) -> GitSettings:
    """Sixteen MiB, of which one is kept free."""
    return GitSettings(cache_dir=tmp_path / "cache", disk_bytes=16 * MIB)


@pytest_asyncio.fixture
async def disk(settings: GitSettings) -> AsyncIterator[Disk]:
    """A disk with three mirrors of about 4 MiB: a, b, c."""
    for number, name in enumerate("abc"):
        fill(settings, name)
        os.utime(settings.cache_dir / f"{name}.git", (number, number))
    made = Disk(settings, claim=lambda _: True, disclaim=lambda _: None, stop=lambda *_: None)
    await made.open()
    running = spawn(made.run(), name="disk")
    yield made
    await end(running)


def fill(settings: GitSettings, name: str, size: int = 4 * MIB - 50_000) -> None:
    """Make a mirror of this size."""
    folder = settings.cache_dir / f"{name}.git" / "objects" / "pack"
    folder.mkdir(parents=True)
    (folder / "pack-1.pack").write_bytes(bytes(size))


def left(settings: GitSettings) -> str:
    """Return the names of the mirrors on disk."""
    return "".join(sorted(path.stem for path in settings.cache_dir.iterdir()))


async def until(claim: Callable[[], bool]) -> None:
    """Wait until the claim is true."""
    async with asyncio.timeout(10):
        while not claim():  # noqa: ASYNC110 - files have no event
            await asyncio.sleep(0.01)


async def test_what_a_killed_controller_left_is_removed_at_the_start(settings: GitSettings) -> None:
    """Homes of children, half-made and half-deleted mirrors, and leftovers within mirrors."""
    fill(settings, "a")
    fill(settings, "b.git.new-17-abc")
    (settings.cache_dir / ".children" / "17-1").mkdir(parents=True)
    (settings.cache_dir / "a.git" / "shallow.lock").write_text("")

    disk = Disk(settings, claim=lambda _: True, disclaim=lambda _: None, stop=lambda *_: None)
    await disk.open()

    assert left(settings) == "a"
    assert not (settings.cache_dir / "a.git" / "shallow.lock").exists()
    assert disk.mirrors == 1
    assert 3.5 * MIB < disk.used_bytes < 4.5 * MIB


async def test_a_write_finds_the_headroom(disk: Disk, settings: GitSettings) -> None:
    """The oldest mirror goes before the budget is used up, but not before that."""
    (await disk.write("d.git", "shop"))()
    assert left(settings) == "abc"

    fill(settings, "d")
    (await disk.write("d.git", "shop"))()
    await until(lambda: left(settings) == "bcd")


async def test_a_read_keeps_a_mirror(disk: Disk, settings: GitSettings) -> None:
    """While it is read, and longer than others from then on."""
    fill(settings, "d")
    with disk.reading("a.git", "shop"), disk.reading("b.git", "shop"):
        (await disk.write("d.git", "shop"))()
        await until(lambda: left(settings) == "abd")


async def test_no_room_refuses_a_write_and_stops_the_biggest(
    settings: GitSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason is the same text each time, so that Events are not repeated."""
    monkeypatch.setattr("nopea.git.disk._PATIENCE_SECONDS", 0.1)
    stopped: list[tuple[str, str]] = []
    disk = Disk(
        settings,
        claim=lambda _: True,
        disclaim=lambda _: None,
        stop=lambda name, why: stopped.append((name, why)),
    )
    await disk.open()
    running = spawn(disk.run(), name="disk")
    writers = [await disk.write(f"{name}.git", "shop") for name in "ab"]
    fill(settings, "a", 9 * MIB)
    fill(settings, "b", 8 * MIB)

    await until(lambda: bool(stopped))
    with pytest.raises(OperationError) as refused:
        await disk.write("c.git", "shop")

    assert refused.value.kind is ErrorKind.NO_ROOM
    assert set(stopped) == {("a.git", "the mirrors in use fill the 16 MiB of --git-disk")}
    assert refused.value.message == "the mirrors in use fill the 16 MiB of --git-disk"
    for writer in writers:
        writer()
    await end(running)


async def test_fetches_that_do_not_end_keep_no_room_for_a_greedy_namespace(settings: GitSettings) -> None:
    """Its mirrors are in use all the time and do not grow; another namespace gets room all the same."""
    ends: dict[str, Callable[[], None]] = {}
    disk = Disk(
        settings, claim=lambda _: True, disclaim=lambda _: None, stop=lambda name, _: ends.pop(name)()
    )
    await disk.open()
    for name in "abc":
        ends[f"{name}.git"] = await disk.write(f"{name}.git", "greedy")
        fill(settings, name, 6 * MIB)
    await disk._measure()
    for grown in disk._mirrors.values():
        grown.bytes_before = grown.bytes
    running = spawn(disk.run(), name="disk")

    (await disk.write("new.git", "shop"))()

    assert len(ends) < 3
    for done in ends.values():
        done()
    await end(running)


async def test_a_mirror_is_in_use_until_the_last_writer_has_ended(disk: Disk, settings: GitSettings) -> None:
    """One that waits for its turn counts too."""
    first = await disk.write("a.git", "shop")
    second = await disk.write("a.git", "bank")

    first()
    assert await disk.forget({"b.git", "c.git"}) == 0
    second()
    assert await disk.forget({"b.git", "c.git"}) == 1
    assert left(settings) == "bc"


async def test_what_a_failed_fetch_left_is_removed_when_it_has_ended(
    disk: Disk, settings: GitSettings
) -> None:
    """A child that was killed in the middle leaves half a pack in the mirror."""
    half = settings.cache_dir / "a.git" / "objects" / "pack" / "pack_1a2b3c"
    ended = await disk.write("a.git", "shop")
    half.write_bytes(b"half")
    await asyncio.sleep(0.6)
    assert half.exists()

    ended()
    await until(lambda: not half.exists())


async def test_unused_mirrors_are_forgotten(disk: Disk, settings: GitSettings) -> None:
    """One that is in use stays until the next time."""
    with disk.reading("b.git", "shop"):
        assert await disk.forget({"a.git"}) == 1
    assert left(settings) == "ab"
    assert await disk.forget({"a.git"}) == 1
    assert await disk.forget({"a.git"}) == 0
    assert disk.mirrors == 1


async def test_a_mirror_that_does_not_exist_is_not_remembered(disk: Disk) -> None:
    """Asking for many leaves nothing behind."""
    for number in range(100):
        with disk.reading(f"{number}.git", "shop"):
            pass
        (await disk.write(f"{number}.git", "shop"))()
    await until(lambda: len(disk._mirrors) == 3)
