"""What the tests of the HTTP server share."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def short_linger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not read on for seconds after a test that sends half a body."""
    monkeypatch.setattr("nopea.web.server.LINGER_SECONDS", 0.05)
