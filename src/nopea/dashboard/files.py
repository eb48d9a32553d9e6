"""Serves the files of the pages themselves: styles, scripts, the icon. No other file can be reached."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from aiohttp import web

from nopea.dashboard.guard import RefusedRequestError
from nopea.dashboard.pages.render import STATIC

_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FOREVER: Final = {"Cache-Control": "public, max-age=31536000, immutable"}


async def static(request: web.Request) -> web.Response:
    """Return a file of the pages themselves; everybody may read it."""
    path = _files().get(request.match_info["name"])
    if path is None:
        raise RefusedRequestError(404, "There is no such file.")
    type_ = _TYPES[path.suffix]
    return web.Response(body=path.read_bytes(), content_type=type_, charset="utf-8", headers=_FOREVER)


@cache
def _files() -> dict[str, Path]:
    """Return the files by their names: a name from an address is looked up and never made into a path."""
    return {path.name: path for path in STATIC.iterdir() if path.suffix in _TYPES}
