"""Requests to servers that GitRepositories name: within the networks that an operator allows, or by a proxy.

It is `http_client.py` with proxies, and with the authorities of a Secret. It follows no redirect.
"""

from __future__ import annotations

import asyncio
import errno
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Self

import aiohttp
from cachetools import LRUCache
from yarl import URL

from nopea.core.git.networks import Networks
from nopea.core.git.proxy import proxy_for
from nopea.core.git.source import host_of
from nopea.http_client import may_ask_proxy, open_session, trusting

_MOST_CONTEXTS = 64


class TenantClient:
    """The connections, opened on entering and closed on leaving.

    `proxies` are the variables of the environment that name the proxy for https.
    """

    def __init__(self, networks: Networks, proxies: Mapping[str, str], *, connections: int) -> None:
        self._networks = networks
        self._proxies = proxies
        self._connections = connections
        self._limited: aiohttp.ClientSession | None = None
        self._free: aiohttp.ClientSession | None = None
        self._contexts: LRUCache[str, ssl.SSLContext] = LRUCache(_MOST_CONTEXTS)

    async def __aenter__(self) -> Self:
        self._limited = open_session(self._networks, connections=self._connections)
        # The operator chose the proxy, which resolves the names.
        self._free = open_session(Networks.ANY, connections=self._connections)
        return self

    async def __aexit__(self, *exc: object) -> None:
        for session in (self._limited, self._free):
            if session is not None:
                await session.close()

    @asynccontextmanager
    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes = b"",
        ca_crt: str = "",
        anywhere: bool = False,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Yield the response, of any status; the caller owns the deadline.

        With `anywhere` an operator chose the address, and the networks do not limit it. Raises
        aiohttp.ClientError, OSError and ValueError; `is_forbidden_address` knows what the networks forbid.
        """
        if self._limited is None or self._free is None:
            raise RuntimeError("TenantClient is not open: use it with `async with`")
        proxy = proxy_for(url, self._proxies)
        if proxy and not anywhere and not may_ask_proxy(host_of(url), self._networks):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        session = self._free if proxy or anywhere else self._limited
        async with session.request(
            method,
            URL(url, encoded=True),
            data=body or None,
            headers=headers,
            allow_redirects=False,
            ssl=await self._context(ca_crt) if ca_crt else True,
            proxy=proxy or None,
        ) as response:
            yield response

    async def _context(self, ca_crt: str) -> ssl.SSLContext:
        known = self._contexts.get(ca_crt)
        if known is None:
            known = self._contexts[ca_crt] = await asyncio.to_thread(trusting, ca_crt)
        return known
