"""A running Git port, a repository and a real HTTP server for it, for each test of this folder."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest
import pytest_asyncio
from tests.gitserver import GitServer, Origin

from nopea.core.git.source import FileEntry, Ref, RefKind, Remote
from nopea.git.port import GitPort
from nopea.git.settings import GitSettings
from nopea.tasks import end, spawn

T = TypeVar("T")
MAIN = Ref(RefKind.BRANCH, "main")
FILES = {f"deploy/{name}.yaml": f"name: {name}\n" for name in ("api", "db", "web", "worker")}
# How long a healthy call may take on a busy machine before the test fails as hanging.
PATIENCE = 20.0


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder that the server serves."""
    return tmp_path / "served"


@pytest.fixture
def origin(root: Path) -> Origin:
    """The repository `shop.git` with four manifests on main."""
    shop = Origin(root / "shop.git")
    shop.commit(FILES)
    return shop


@pytest.fixture
def server(root: Path, origin: Origin) -> Iterator[GitServer]:
    """`git http-backend` over plain HTTP for everything under the root."""
    del origin
    with GitServer(root) as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path) -> GitSettings:
    """The port's settings; a module may override them."""
    return GitSettings(cache_dir=tmp_path / "cache", allow_file_urls=True)


@pytest_asyncio.fixture
async def port(settings: GitSettings) -> AsyncIterator[GitPort]:
    """A running port."""
    async with running(GitPort(settings)) as port:
        yield port


@asynccontextmanager
async def running(port: GitPort) -> AsyncIterator[GitPort]:
    """Run a port; a child that is left afterwards fails the test."""
    task = spawn(port.run(), name="git port")
    await children(port)
    try:
        yield port
    finally:
        pids = port.pids()
        await end(task)
    assert [pid for pid in pids if alive(pid)] == []


async def children(port: GitPort, *, count: int = 1) -> list[int]:
    """Wait until `count` children run and return their process IDs."""
    return await until(lambda: pids if len(pids := port.pids()) >= count else None)


async def until(claim: Callable[[], T | None], *, seconds: float = PATIENCE) -> T:
    """Wait until the claim returns a true value, and return it."""
    async with asyncio.timeout(seconds):
        while not (found := claim()):  # noqa: ASYNC110 — the state of real processes has no event
            await asyncio.sleep(0.01)
    return found


def alive(pid: int) -> bool:
    """Return whether a process exists, even as a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def files_of(
    port: GitPort, remote: Remote, commit: str, subpath: str, *, timeout_seconds: float
) -> tuple[FileEntry, ...]:
    """Return the manifest and ignore files below a folder of a commit."""
    listing = await port.listing(remote, commit, subpath, timeout_seconds=timeout_seconds)
    return listing.files
