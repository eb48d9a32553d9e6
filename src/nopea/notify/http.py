"""Sends a message by HTTP, once: connections, TLS, failures in words; never decides to try again.

It follows no redirect, keeps no cookie, ignores proxies in the environment and reads little of a response.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Self

import aiohttp
from yarl import URL

from nopea.core.git.networks import Networks
from nopea.core.notify.address import ReceiverAddress
from nopea.http_client import describe, open_session

MOST_BODY = 64 * 1024
"""Bytes that are read of a response, to keep its connection; a longer response closes it."""

CONNECTIONS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One POST. Each attempt sends the same bytes: receivers detect a repetition by its id."""

    id: str
    """Unique; for the log."""
    namespace: str
    """Whose it is: namespaces share a queue."""
    address: ReceiverAddress
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    @property
    def size(self) -> int:
        """The bytes of the body and the headers."""
        return len(self.body) + sum(len(name) + len(value) for name, value in self.headers.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The response of a sink: a status, and `Retry-After` as it came (empty: none)."""

    status: int
    retry_after: str = ""


class NoResponseError(Exception):
    """No complete response came; the message says why and is fit for a log. Another attempt may succeed."""


Post = Callable[[Message], Awaitable[Response]]
"""Sends a message once. Raises NoResponseError; has no deadline of its own; cancellation ends it at once."""


class HttpPoster:
    """The connections to sinks in `networks`: opened on entering, closed on leaving."""

    def __init__(self, networks: Networks = Networks.ANY) -> None:
        self._networks = networks
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = open_session(self._networks, connections=CONNECTIONS)
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def post(self, message: Message) -> Response:
        """Send and return the response, any status. Raises NoResponseError; the caller owns the deadline."""
        if self._session is None:
            raise RuntimeError("HttpPoster is not open: use it with `async with`")
        address = message.address
        headers = dict(message.headers)
        if address.authorization is not None:
            headers["Authorization"] = address.authorization.reveal().decode("latin-1")
        url = URL(address.url.reveal().decode("ascii"), encoded=True)
        try:
            async with self._session.post(
                url, data=message.body, headers=headers, allow_redirects=False
            ) as response:
                await _discard_body(response)
                return Response(status=response.status, retry_after=response.headers.get("Retry-After", ""))
        except (aiohttp.ClientError, OSError) as error:
            raise NoResponseError(f"{address} {describe(error)}") from error


async def _discard_body(response: aiohttp.ClientResponse) -> None:
    """Read the body to its end, which detects a truncated one; close the connection of a long one."""
    read = 0
    async for part in response.content.iter_any():
        read += len(part)
        if read > MOST_BODY:
            response.close()
            return
