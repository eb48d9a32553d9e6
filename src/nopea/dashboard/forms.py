"""Read the forms of the pages: small, in UTF-8, and within a deadline. Anything else is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

from nopea.dashboard.guard import RefusedRequestError

FORM_SECONDS: Final = 10.0
MOST_FIELDS: Final = 20
_TYPE: Final = "application/x-www-form-urlencoded"
_AGAIN: Final = "Load the page again, and use its form."


async def form_of(request: web.Request) -> Mapping[str, str]:
    """Return the fields; of those that occur twice, the last. Raises RefusedRequestError, HTTPException.

    aiohttp's own reader believes the charset and the boundary that the sender names, and has no deadline.
    """
    if request.content_type != _TYPE:
        raise RefusedRequestError(415, f"A form must be sent as {_TYPE}.", _AGAIN)
    try:
        async with asyncio.timeout(FORM_SECONDS):
            body = await request.read()
    except TimeoutError as error:
        raise RefusedRequestError(408, "The form has not arrived in time.", _AGAIN) from error
    try:
        return dict(
            parse_qsl(
                body.decode(),
                keep_blank_values=True,
                encoding="utf-8",
                errors="strict",
                max_num_fields=MOST_FIELDS,
            )
        )
    except ValueError as error:
        raise RefusedRequestError(400, "The form cannot be read.", _AGAIN) from error
