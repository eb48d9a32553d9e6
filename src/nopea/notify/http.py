"""Sends a message by HTTP, once: connections, TLS, what went wrong in words; never decides to try again.

It follows no redirect, keeps no cookie, reads no proxy from the environment (as nothing in Nopea does) and
little of an answer. Certificates are checked against the system's authorities, or those of SSL_CERT_FILE.
"""

from __future__ import annotations

import functools
import os
import ssl
from typing import Any, Self

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import HttpProcessingError
from yarl import URL

import nopea
from nopea.notify.message import Message, NoResponseError, Response

MOST_BODY = 64 * 1024
"""Bytes that are read of an answer, so that its connection can be kept; after them it is closed."""

CONNECTIONS = 100
IDLE_SECONDS = 15.0
"""Shorter than servers keep theirs: a message that meets a connection just being closed has to wait."""


MOST_INTERIM = 10
"""Answers 1xx before the one that counts."""


class _StrictHandler(ResponseHandler):
    """Cuts a connection that sends interim answers without end: taking them in would stop the event loop."""

    _interim = 0

    def feed_data(self, data: tuple[Any, Any], size: int = 0) -> None:
        """Take an answer's head from the parser."""
        self._interim = self._interim + 1 if 100 <= data[0].code < 200 else 0
        if self._interim <= MOST_INTERIM:
            super().feed_data(data, size)
        elif self._interim == MOST_INTERIM + 1 and self.transport is not None:
            self.set_exception(HttpProcessingError(message="too many interim answers"))
            self.transport.abort()


class _Connector(aiohttp.TCPConnector):
    """Makes connections with our handler."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        handler: type[ResponseHandler] = _StrictHandler
        self._factory = functools.partial(handler, loop=self._loop)  # aiohttp has no public place for it


class HttpPoster:
    """Connections to all sinks; enter it to open them, leave it to close them."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=_Connector(
                limit=CONNECTIONS, keepalive_timeout=IDLE_SECONDS, ssl=ssl.create_default_context()
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
        """Send and return the answer, whatever its status; raises NoAnswerError. The deadline is yours."""
        if self._session is None:
            raise RuntimeError("the poster is not open: enter it with `async with`")
        address = message.address
        headers = dict(message.headers)
        if address.authorization is not None:
            headers["Authorization"] = address.authorization.reveal().decode("latin-1")
        url = URL(address.url.reveal().decode("ascii"), encoded=True)
        try:
            async with self._session.post(
                url, data=message.body, headers=headers, allow_redirects=False
            ) as answer:
                await _skip(answer)
                return Response(status=answer.status, retry_after=answer.headers.get("Retry-After", ""))
        except (aiohttp.ClientError, OSError) as error:
            raise NoResponseError(f"{address} {_words(error)}") from error


async def _skip(answer: aiohttp.ClientResponse) -> None:
    """Read the body to its end, so that one that is cut short shows; a long one is not waited for."""
    read = 0
    async for part in answer.content.iter_any():
        read += len(part)
        if read > MOST_BODY:
            answer.close()
            return


def _words(error: Exception) -> str:
    """Say what went wrong, in words of our own: a library's may quote the URL."""
    match error:
        case aiohttp.ClientConnectorCertificateError(
            certificate_error=ssl.SSLCertVerificationError() as cause
        ):
            return f"has a certificate that is not trusted: {cause.verify_message}"
        case aiohttp.ClientSSLError():
            return "does not speak TLS as we do; check the port and its certificate"
        case aiohttp.ClientConnectorDNSError():
            return "has a host name that cannot be resolved"
        case aiohttp.ClientConnectorError():
            return f"cannot be reached: {_system_words(error.os_error)}"
        case aiohttp.ServerDisconnectedError():
            return "closed the connection without an answer"
        case aiohttp.ClientPayloadError():
            return "cut its answer short"
        case aiohttp.ClientResponseError():
            return "sent an answer that is no HTTP"
        case OSError():
            return f"could not be talked to: {_system_words(error)}"
        case _:
            return f"could not be talked to: {type(error).__name__}"


def _system_words(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else type(error).__name__
