"""Sends requests to the APIs of Git servers, once: connections, deadlines, bounds, failures in words.

It follows no redirect, and connects to addresses in the given networks only, as Git does.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Final, Self

import aiohttp
from yarl import URL

from nopea.core.forge.comments import ForgeRequest
from nopea.core.git.networks import Networks
from nopea.core.notify.address import InvalidAddressError, ReceiverAddress
from nopea.core.notify.delivery import DeliveryPolicy
from nopea.core.secret import Secret
from nopea.http_client import describe, open_session

CALL_SECONDS: Final = 20.0
MOST_BODY: Final = 8 * 1024 * 1024
"""Bytes of an answer: a page of long comments."""

_CONNECTIONS: Final = 8
_BUSY: Final = frozenset({408, 425, 429})
_RETRY_AFTER: Final = DeliveryPolicy(retry_after_most_seconds=900)
_RATE_LIMIT_SECONDS: Final = 900.0


class ForgeBusyError(Exception):
    """No answer, or a server that cannot answer now: another attempt may succeed. Fit for a log."""

    def __init__(self, why: str, *, retry_after_seconds: float = 0.0) -> None:
        super().__init__(why)
        self.retry_after_seconds = retry_after_seconds


class ForgeRefusedError(Exception):
    """The server refuses the request, with this status; status 0 is an answer that cannot be read."""

    def __init__(self, why: str, *, status: int = 0) -> None:
        super().__init__(why)
        self.status = status


class ForgeApi:
    """The connections to Git servers: opened on entering, closed on leaving."""

    def __init__(self, networks: Networks) -> None:
        self._networks = networks
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = open_session(self._networks, connections=_CONNECTIONS)
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(self, request: ForgeRequest, authorization: Secret) -> bytes:
        """Return the body of an answer 2xx. Raises ForgeBusyError and ForgeRefusedError."""
        if self._session is None:
            raise RuntimeError("ForgeApi is not open: use it with `async with`")
        try:
            address = ReceiverAddress.parse(request.url)
        except InvalidAddressError as error:
            raise ForgeRefusedError(str(error)) from error
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "Authorization": authorization.reveal().decode("latin-1"),
        }
        url = URL(address.url.reveal().decode("ascii"), encoded=True)
        try:
            async with (
                asyncio.timeout(CALL_SECONDS),
                self._session.request(
                    request.method, url, data=request.body or None, headers=headers, allow_redirects=False
                ) as response,
            ):
                _raise_for(response, str(address))
                return await _body_of(response, str(address))
        except TimeoutError as error:
            raise ForgeBusyError(f"{address} did not respond within {CALL_SECONDS:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ForgeBusyError(f"{address} {describe(error)}") from error


def _raise_for(response: aiohttp.ClientResponse, address: str) -> None:
    status, asked = response.status, response.headers.get("Retry-After", "")
    if 200 <= status < 300:
        return
    why = f"{address} answered {status}"
    is_limited = asked or response.headers.get("X-RateLimit-Remaining") == "0"
    if status in _BUSY or status >= 500 or (status == 403 and is_limited):  # GitHub's rate limit is a 403
        pause = _RETRY_AFTER.retry_after_seconds(asked, now=datetime.now(UTC))
        if pause is None:
            pause = _RATE_LIMIT_SECONDS if status == 403 else 0.0
        raise ForgeBusyError(why, retry_after_seconds=pause)
    raise ForgeRefusedError(why, status=status)


async def _body_of(response: aiohttp.ClientResponse, address: str) -> bytes:
    body = bytearray()
    async for part in response.content.iter_any():
        body += part
        if len(body) > MOST_BODY:
            response.close()
            raise ForgeRefusedError(f"{address} sent more than {MOST_BODY // 2**20} MiB")
    return bytes(body)
