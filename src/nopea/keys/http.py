"""POST to key services: addresses, proxies, certificates and limits. Follows no redirect."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from typing import Self

import aiohttp
from cachetools import LRUCache
from yarl import URL

from nopea.core.decryption.wire import Call
from nopea.core.git.networks import Networks
from nopea.core.git.proxy import proxy_for
from nopea.core.git.source import host_of
from nopea.http_client import (
    describe,
    is_forbidden_address,
    is_untrusted,
    may_ask_proxy,
    open_session,
    trusting,
)

CONNECTIONS = 1000
MAX_ANSWER = 64 * 1024
_FORBIDDEN = "Nopea may not connect to its address"
_NETWORKS = "Use a key service that Nopea may reach, or run Nopea with another --git-networks."
_AUTHORITY = "Add the certificate of its authority as ca.crt to the Secret that spec.decryption names."


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A response of any status, with as much of its body as there may be."""

    status: int
    body: bytes = field(repr=False)
    retry_after: str = ""


class NoAnswerError(Exception):
    """There is no response; the text says why, and `hint` what to do where time does not mend it."""

    def __init__(self, why: str, *, hint: str = "") -> None:
        super().__init__(why)
        self.hint = hint


class KeyWeb:
    """The connections, opened on entering and closed on leaving.

    `proxies` are the variables of the environment that name the proxy for https.
    """

    def __init__(self, networks: Networks, proxies: dict[str, str]) -> None:
        self._networks = networks
        self._proxies = proxies
        self._limited: aiohttp.ClientSession | None = None
        self._free: aiohttp.ClientSession | None = None
        self._contexts: LRUCache[str, ssl.SSLContext] = LRUCache(64)

    async def __aenter__(self) -> Self:
        self._limited = open_session(self._networks, connections=CONNECTIONS)
        self._free = open_session(Networks.ANY, connections=CONNECTIONS)
        return self

    async def __aexit__(self, *exc: object) -> None:
        for session in (self._limited, self._free):
            if session is not None:
                await session.close()

    async def post(self, call: Call, *, is_ours: bool, ca_crt: str = "") -> Answer:
        """Return the response. Raises NoAnswerError; the caller owns the deadline.

        If it `is_ours`, an operator chose the address, and `networks` do not limit it.
        """
        if self._limited is None or self._free is None:
            raise RuntimeError("KeyWeb is not open: use it with `async with`")
        proxy = proxy_for(call.url, self._proxies)
        if proxy and not is_ours and not may_ask_proxy(host_of(call.url), self._networks):
            raise NoAnswerError(_FORBIDDEN, hint=_NETWORKS)
        session = self._free if proxy or is_ours else self._limited
        try:
            async with session.post(
                URL(call.url, encoded=True),
                data=call.body,
                headers=call.headers,
                allow_redirects=False,
                ssl=await self._context(ca_crt) if ca_crt else True,
                proxy=proxy or None,
            ) as response:
                body = await _body(response)
                return Answer(
                    status=response.status, body=body, retry_after=response.headers.get("Retry-After", "")
                )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if is_forbidden_address(error):
                raise NoAnswerError(_FORBIDDEN, hint=_NETWORKS) from error
            raise NoAnswerError(
                f"the server {describe(error)}", hint=_AUTHORITY if is_untrusted(error) else ""
            ) from error

    async def _context(self, ca_crt: str) -> ssl.SSLContext:
        known = self._contexts.get(ca_crt)
        if known is None:
            known = self._contexts[ca_crt] = await asyncio.to_thread(trusting, ca_crt)
        return known


async def _body(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for part in response.content.iter_any():
        body += part
        if len(body) > MAX_ANSWER:
            response.close()
            raise NoAnswerError(f"its answer is larger than {MAX_ANSWER // 1024} KiB")
    return bytes(body)
