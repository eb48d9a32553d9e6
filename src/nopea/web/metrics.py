"""`GET /metrics`: passes a scrape on; knows HTTP and nothing about metrics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

MOST_ACCEPT = 1_024
"""Characters of the Accept header that are read."""


def metrics_routes(scrape: Callable[[str], Awaitable[tuple[bytes, str]]]) -> list[web.RouteDef]:
    """Return the route; `scrape` takes the Accept header and returns the body and its content type."""

    async def handle(request: web.Request) -> web.Response:
        body, content_type = await scrape(request.headers.get("Accept", "")[:MOST_ACCEPT])
        return web.Response(body=body, headers={"Content-Type": content_type})

    return [web.get("/metrics", handle)]
