"""The files that the pages need."""

from __future__ import annotations

from tests.fakes.dashboard import KnownSource
from tests.fakes.dashboard_server import dashboard


async def test_only_the_pages_own_files_are_served() -> None:
    """No other file of the machine, and no template."""
    async with dashboard(KnownSource()) as visitor:
        for name in ("style.css", "live.js", "htmx.min.js", "icon.svg"):
            answer = await visitor.get(f"/static/{name}")
            assert answer.status == 200
            assert "immutable" in answer.headers["Cache-Control"]
        for name in (
            "..%2Fguard.py",
            "%2e%2e%2f..%2fsource.py",
            "htmx.LICENSE.txt",
            "..%2Ftemplates%2Fbase.html",
            "%00",
            "%00.css",
            "a" * 300 + ".css",
        ):
            assert (await visitor.get(f"/static/{name}")).status == 404, name
