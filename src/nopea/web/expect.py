"""The header `Expect`: anything in it but `100-continue` is refused, at every path.

aiohttp would quote it in its answer, which fails for bytes that are no text, with a 500 and a traceback.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def refusing_expectations(handler: Handler) -> Handler:
    """Return the server's handler, with 417 for anything but `100-continue`."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get("Expect", "100-continue").lower() != "100-continue":
            return web.Response(status=417, text="only 100-continue can be expected here\n")
        return await handler(request)

    return handle
