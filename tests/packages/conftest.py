"""Fixtures for the tests of packages: GitHub's API of comments on loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from tests.fakes.github import GitHub


@pytest.fixture
def github() -> Iterator[GitHub]:
    """Run the server on loopback."""
    with GitHub() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
