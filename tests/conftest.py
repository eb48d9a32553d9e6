"""What every test gets: a clean event loop, and a failure when it leaves a task behind."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.cluster"]


def pytest_configure(config: pytest.Config) -> None:
    """Give tests the same start everywhere: no leaked event loop, no Hypothesis deadline, default SIGINT."""
    del config
    asyncio.set_event_loop(None)  # leaked below Python 3.14
    # The duration of an example depends on the machine; the test's own timeout ends what hangs.
    settings.register_profile("nopea", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("nopea")
    # A shell starts what runs in its background with SIGINT ignored, and programs under test inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest_asyncio.fixture(autouse=True)
async def no_task_left_behind() -> AsyncIterator[None]:
    """Fail the test that leaves a task running, and name the task."""
    before = asyncio.all_tasks()
    yield
    after = asyncio.all_tasks() - before - {asyncio.current_task()}
    left = [task for task in after if not task.done()]
    for task in left:
        task.cancel()
    assert not left, f"tasks left running: {sorted(task.get_name() for task in left)}"
