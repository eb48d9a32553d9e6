"""Sends a message by HTTP, once: connections, TLS, failures in words; never decides to try again.

It follows no redirect, keeps no cookie, ignores proxies in the environment (like everything in Nopea) and
reads little of a response. Certificates are verified against the system's authorities, or those of
SSL_CERT_FILE.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import aiohttp
from yarl import URL

import nopea
from nopea.core.git.networks import Networks, may_connect
from nopea.core.notify.address import ReceiverAddress

MOST_BODY = 64 * 1024
"""Bytes that are read of a response, to keep its connection; a longer response closes it."""

CONNECTIONS = 100
IDLE_SECONDS = 15.0
"""Shorter than servers keep theirs: a message on a connection that is being closed must be repeated."""


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


_Target = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]
"""An address as `getaddrinfo` returns it."""

Post = Callable[[Message], Awaitable[Response]]
"""Sends a message once. Raises NoResponseError; has no deadline of its own; cancellation ends it at once."""


class HttpPoster:
    """The connections to sinks in `networks`: opened on entering, closed on leaving."""

    def __init__(self, networks: Networks = Networks.ANY) -> None:
        self._networks = networks
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=CONNECTIONS,
                keepalive_timeout=IDLE_SECONDS,
                ssl=ssl.create_default_context(),
                socket_factory=self._socket,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),  # the caller owns the deadline
            headers={"User-Agent": f"nopea/{nopea.__version__}", "Accept-Encoding": "identity"},
            auto_decompress=False,
            trust_env=False,
        )
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
            raise NoResponseError(f"{address} {_describe(error)}") from error

    def _socket(self, target: _Target) -> socket.socket:
        """Make the socket for one address that a name has; raises OSError if it must not be connected to."""
        family, kind, protocol, _, address = target
        if not may_connect(str(address[0]), self._networks):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        return socket.socket(family, kind, protocol)


async def _discard_body(response: aiohttp.ClientResponse) -> None:
    """Read the body to its end, which detects a truncated one; close the connection of a long one."""
    read = 0
    async for part in response.content.iter_any():
        read += len(part)
        if read > MOST_BODY:
            response.close()
            return


def _describe(error: Exception) -> str:
    """Return what went wrong in our own words: those of a library may quote the URL."""
    match error:
        case aiohttp.ClientConnectorCertificateError(
            certificate_error=ssl.SSLCertVerificationError() as cause
        ):
            return f"has an untrusted certificate: {cause.verify_message}"
        case aiohttp.ClientSSLError():
            return "failed the TLS handshake; check the port and its certificate"
        case aiohttp.ClientConnectorDNSError():
            return "has a host name that does not resolve"
        case aiohttp.ClientConnectorError():
            return f"cannot be reached: {_os_reason(error.os_error)}"
        case aiohttp.ServerDisconnectedError():
            return "closed the connection without a response"
        case aiohttp.ClientPayloadError():
            return "sent a truncated response"
        case aiohttp.ClientResponseError():
            return "sent an invalid HTTP response"
        case OSError():
            return f"failed: {_os_reason(error)}"
        case _:
            return f"failed: {type(error).__name__}"


def _os_reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else type(error).__name__
