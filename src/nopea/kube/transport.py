"""Send requests to the API server and read answers: connections, TLS, credentials, deadlines, size limits.

The transport translates network errors into `UnreachableError`. It never parses a body.
"""

from __future__ import annotations

import asyncio
import io
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

import aiohttp
from yarl import URL

import nopea
from nopea.core.secret import mask_url
from nopea.kube.auth import ApiCredentials, Identity, Source
from nopea.kube.config import ClusterConfig, ConfigError
from nopea.kube.errors import ApiFailure, ServerError, SilenceError, UnauthorizedError, UnreachableError
from nopea.kube.requests import ApiRequest
from nopea.kube.sockets import Sockets
from nopea.kube.tls import tls_context

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 65.0
"""The server ends a request after 60 s; this is longer, so that its own answer arrives."""

BODY_LIMIT = 128 * 1024 * 1024
"""Bytes of one answer. A list asks for smaller chunks when one is larger than this."""


class BodyTooBigError(ServerError):
    """The answer is larger than `BODY_LIMIT`."""


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """An answer with its complete body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """The connections to one API server; enter it before the first request, leave it to close them."""

    def __init__(self, config: ClusterConfig, source: Source) -> None:
        self._config = config
        self._credentials = ApiCredentials(source)
        self._context: tuple[Identity, ssl.SSLContext] | None = None
        self._session: aiohttp.ClientSession | None = None
        self._sockets = Sockets()

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30, socket_factory=self._sockets.open)
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
            # compression costs the server more CPU than it saves; and no decompression bombs
            headers={"User-Agent": f"nopea/{nopea.__version__}", "Accept-Encoding": "identity"},
            trust_env=False,
        )
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._session is not None:
            await self._session.close()
            await self._sockets.wait_closed()

    async def send(self, request: ApiRequest, headers: Mapping[str, str]) -> ApiResponse:
        """Send a request and return the answer with any status.

        After a 401 the credentials are fetched again and the request is repeated once. A repeatable request
        is also repeated once when a kept connection turns out to be closed. Raises UnreachableError when no
        complete answer arrives within `ANSWER_SECONDS`, BodyTooBigError when it is too long.
        """
        with _translated(request, self._config):
            async with asyncio.timeout(ANSWER_SECONDS):
                try:
                    return await self._send(request, headers)
                except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                    if not request.repeatable or isinstance(error, aiohttp.ClientConnectorError):
                        raise
                return await self._send(request, headers)

    async def _send(self, request: ApiRequest, headers: Mapping[str, str]) -> ApiResponse:
        async with self._answer(request, headers) as answer:
            body = await _read(answer, request)
            return ApiResponse(answer.status, answer.headers, body)

    @asynccontextmanager
    async def stream(
        self, request: ApiRequest, headers: Mapping[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request and yield the answer before its body is complete; leaving closes the connection.

        The caller reads with `read_some`, with its own deadline.
        """
        answer: aiohttp.ClientResponse | None = None
        try:
            with _translated(request, self._config):
                async with asyncio.timeout(ANSWER_SECONDS):
                    answer = await self._open(request, headers)
            yield answer
        finally:
            if answer is not None:
                answer.close()

    async def read_some(
        self, answer: aiohttp.ClientResponse, request: ApiRequest, *, within_seconds: float
    ) -> bytes:
        """Return the next bytes of a streamed body, empty at its end. Raises SilenceError."""
        with _translated(request, self._config):
            try:
                async with asyncio.timeout(max(0.1, within_seconds)):
                    return await answer.content.readany()
            except TimeoutError as error:
                server = mask_url(self._config.server)
                message = f"{server} sent nothing and did not end the watch in time."
                raise SilenceError(message, request=str(request)) from error

    async def read_all(self, answer: aiohttp.ClientResponse, request: ApiRequest) -> bytes:
        """Return the complete body of a streamed answer that is an error."""
        with _translated(request, self._config):
            async with asyncio.timeout(ANSWER_SECONDS):
                return await _read(answer, request)

    @asynccontextmanager
    async def _answer(
        self, request: ApiRequest, headers: Mapping[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        answer = await self._open(request, headers)
        async with answer:
            yield answer

    async def _open(self, request: ApiRequest, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        identity = await self._credentials.current()
        answer = await self._exchange(request, headers, identity)
        if answer.status != 401:
            return answer
        with ExitStack() as unless_returned:
            unless_returned.callback(answer.close)
            fresh = await self._credentials.renew(identity)
            if fresh.shows_same(identity):
                unless_returned.pop_all()
                return answer
        return await self._exchange(request, headers, fresh)

    async def _exchange(
        self, request: ApiRequest, headers: Mapping[str, str], identity: Identity
    ) -> aiohttp.ClientResponse:
        if self._session is None:
            raise RuntimeError("the client is not open: enter it with `async with`")
        fields = {"Accept": request.accept, **headers}
        if identity.authorization:
            fields["Authorization"] = identity.authorization.reveal().decode("latin-1")
        if request.content_type:
            fields["Content-Type"] = request.content_type
        options: dict[str, Any] = {"ssl": self._tls(identity), "allow_redirects": False}
        if self._config.tls_server_name:
            options["server_hostname"] = self._config.tls_server_name
        if self._config.proxy_url:
            options["proxy"] = self._config.proxy_url
        url = URL(self._config.server + request.path, encoded=True)
        body = io.BytesIO(request.body) if request.body else None  # aiohttp warns of more than 1 MiB in bytes
        return await self._session.request(request.method, url, data=body, headers=fields, **options)

    def _tls(self, identity: Identity) -> ssl.SSLContext:
        # one context until the certificate changes: aiohttp keeps connections per context
        if self._context is not None:
            presented, context = self._context
            if (presented.certificate, presented.key) == (identity.certificate, identity.key):
                return context
        context = tls_context(self._config, certificate=identity.certificate, key=identity.key)
        self._context = (identity, context)
        return context


async def _read(answer: aiohttp.ClientResponse, request: ApiRequest) -> bytes:
    length = answer.content_length
    if length is not None and length <= BODY_LIMIT:
        return await answer.read()
    parts: list[bytes] = []
    size = 0
    async for part in answer.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > BODY_LIMIT:
            answer.close()
            message = f"The answer is larger than {BODY_LIMIT} bytes."
            raise BodyTooBigError(ApiFailure(code=answer.status, message=message), request=str(request))
    return b"".join(parts)


class _translated:  # noqa: N801 - reads as a statement; a class, because a generator costs 2 µs per request
    """Translate network errors into an `UnreachableError` that names the server."""

    __slots__ = ("_config", "_request")

    def __init__(self, request: ApiRequest, config: ClusterConfig) -> None:
        self._request, self._config = request, config

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None:
            return
        if isinstance(error, ConfigError):
            failure = ApiFailure(code=401, reason="Credentials", message=str(error))
            raise UnauthorizedError(failure, request=str(self._request)) from error
        reason = _reason_of(error)
        if reason:
            server = mask_url(self._config.server)
            raise UnreachableError(f"{server} {reason}.", request=str(self._request)) from error


def _reason_of(error: BaseException) -> str:
    match error:
        case TimeoutError():
            return f"did not answer within {ANSWER_SECONDS:.0f} s"
        case aiohttp.ClientConnectorCertificateError() | ssl.SSLCertVerificationError():
            return f"has a certificate that is not trusted: {error}"
        case aiohttp.ClientConnectorDNSError():
            return "has a host name that cannot be resolved"
        case aiohttp.ClientConnectorError():
            return f"cannot be reached: {error.os_error.strerror or error.os_error}"
        case aiohttp.ServerDisconnectedError():
            return "closed the connection without an answer"
        case aiohttp.ClientPayloadError():
            return "closed the connection in the middle of its answer"
        case aiohttp.ClientError() | OSError():
            return f"did not complete the request: {error}"
        case _:
            return ""
