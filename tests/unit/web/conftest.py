"""Fixtures for the tests of the HTTP server."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def short_linger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the time for which the server reads on after a test that sends half a body."""
    monkeypatch.setattr("nopea.web.server.LINGER_SECONDS", 0.05)
