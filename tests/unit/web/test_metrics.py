"""`GET /metrics` over real HTTP."""

from __future__ import annotations

import aiohttp

from nopea.web.metrics import MOST_ACCEPT, metrics_routes
from nopea.web.server import listening, probe_listener


async def test_a_scrape_is_answered_in_the_clients_format() -> None:
    """The renderer gets the Accept header, cut to a limit, and chooses the content type."""
    asked: list[str] = []

    async def scrape(accept: str) -> tuple[bytes, str]:
        asked.append(accept)
        return b"nopea_ready 1\n", "text/plain; version=1.0.0; charset=utf-8"

    async with (
        listening(
            probe_listener(host="127.0.0.1", port=0, why_not_ready=str, routes=metrics_routes(scrape))
        ) as port,
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/metrics", headers={"Accept": "a" * 5_000}) as answer,
    ):
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/plain; version=1.0.0; charset=utf-8"
        assert await answer.text() == "nopea_ready 1\n"

    assert asked == ["a" * MOST_ACCEPT]
