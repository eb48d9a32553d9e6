"""The port with the built program."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest_asyncio
from tests.git.conftest import alive
from tests.renderer.child import program

from nopea.render.port import RenderPort
from nopea.render.process import RenderSettings
from nopea.tasks import end, spawn


@asynccontextmanager
async def running(cache: Path, **settings: Any) -> AsyncIterator[RenderPort]:
    """Run a port; a child that is left afterwards fails the test."""
    port = RenderPort(replace(RenderSettings(cache_dir=cache, program=program()), **settings))
    task = spawn(port.run(), name="port")
    try:
        yield port
    finally:
        pids = port.pids()
        await end(task)
    assert [pid for pid in pids if alive(pid)] == []


@pytest_asyncio.fixture
async def port(tmp_path: Path) -> AsyncIterator[RenderPort]:
    """A running port; `make renderer` builds the program."""
    async with running(tmp_path) as port:
        yield port
