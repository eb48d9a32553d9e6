"""Requests to key services: addresses, proxies, certificates and limits. Follows no redirect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import aiohttp

from nopea.core.decryption.wire import Call
from nopea.core.git.networks import Networks
from nopea.http_client import describe, is_forbidden_address, is_untrusted
from nopea.tenant_client import TenantClient

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

    def __init__(self, networks: Networks, proxies: Mapping[str, str]) -> None:
        self._client = TenantClient(networks, proxies, connections=CONNECTIONS)

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._client.__aexit__(*exc)

    async def send(self, call: Call, *, is_ours: bool, ca_crt: str = "") -> Answer:
        """Return the response. Raises NoAnswerError; the caller owns the deadline.

        If it `is_ours`, an operator chose the address, and `networks` do not limit it.
        """
        try:
            async with self._client.request(
                call.method, call.url, headers=call.headers, body=call.body, ca_crt=ca_crt, anywhere=is_ours
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


async def _body(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for part in response.content.iter_any():
        body += part
        if len(body) > MAX_ANSWER:
            response.close()
            raise NoAnswerError(f"its answer is larger than {MAX_ANSWER // 1024} KiB")
    return bytes(body)
