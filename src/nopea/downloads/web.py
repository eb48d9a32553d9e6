"""GET over https: redirects, logins, certificates, proxies and limits. Each call raises SyncError only."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urljoin

import aiohttp

from nopea.core.downloads.logins import authority_of
from nopea.core.git.networks import Networks
from nopea.core.git.source import Credentials, host_of
from nopea.core.secret import mask_url
from nopea.downloads import problems
from nopea.downloads.budget import Share
from nopea.http_client import describe, is_forbidden_address, is_untrusted
from nopea.tenant_client import TenantClient

CONNECTIONS = 1000
_URL = re.compile(r"https://[!-\[\]^-~]+")
"""Printable ASCII without a backslash: nothing that a server or a library could read in another way."""
_MAX_REDIRECTS = 5
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_NETWORKS = "Correct the URL, or run Nopea with another --git-networks."
_AUTHORITY = "Add the certificate of its authority as ca.crt to the Secret in spec.helm.secretRef."


@dataclass(frozen=True, slots=True, kw_only=True)
class Get:
    """A request: `what` is its object in words, `limit` the most bytes of its body."""

    url: str
    what: str
    limit: int
    share: Share
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    ca_crt: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A response that is not a redirect, of any status."""

    status: int
    url: str
    """Where it came from, after redirects."""
    headers: Mapping[str, str] = field(repr=False)
    challenges: tuple[str, ...] = ()
    """The values of WWW-Authenticate."""
    body: bytes = field(repr=False)

    def header(self, name: str) -> str:
        """Return a header; empty for one that is missing."""
        return self.headers.get(name, "")


def basic(credentials: Credentials) -> dict[str, str]:
    """Return the header for a login; nothing without one."""
    password = credentials.password.reveal()
    if credentials.username or password:
        login = base64.b64encode(credentials.username.encode() + b":" + password).decode()
        return {"Authorization": f"Basic {login}"}
    if credentials.token:
        return {"Authorization": f"Bearer {credentials.token.reveal().decode('latin-1')}"}
    return {}


class Web:
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

    async def get(self, asked: Get) -> Reply:
        """Return the response. Credentials go to the host of the URL alone, not to where it redirects."""
        url, headers = asked.url, dict(asked.headers)
        for _ in range(_MAX_REDIRECTS):
            reply = await self._one(asked, url, headers)
            target = reply.header("Location")
            if reply.status not in _REDIRECTS or not target:
                return reply
            target = joined(url, target)
            if authority_of(target) != authority_of(url):
                headers.pop("Authorization", None)
            url = target
        raise problems.refused(asked.what, "the server redirects too often", "Check the URL.")

    async def _one(self, asked: Get, url: str, headers: Mapping[str, str]) -> Reply:
        if not _URL.fullmatch(url) or not host_of(url):
            raise problems.refused(asked.what, f"{mask_url(url)} is not an https URL", "Correct the URL.")
        try:
            async with self._client.request("GET", url, headers=headers, ca_crt=asked.ca_crt) as response:
                body = await _body(response, asked)
                return Reply(
                    status=response.status,
                    url=url,
                    headers=response.headers.copy(),
                    challenges=tuple(response.headers.getall("WWW-Authenticate", ())),
                    body=body,
                )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _failure(asked.what, error) from error


def joined(url: str, target: str) -> str:
    """Return what a server refers to, from the URL of its answer."""
    try:
        return urljoin(url, target)
    except ValueError:
        return ""  # which is refused as any other URL that is not https


async def _body(response: aiohttp.ClientResponse, asked: Get) -> bytes:
    """Read the body of an answer; that of an error or redirect is of no use."""
    if response.status != 200:
        response.close()
        return b""
    if (response.content_length or 0) > asked.limit:
        response.close()
        raise problems.too_big(asked.what, asked.limit)
    body = bytearray()
    async for part in response.content.iter_any():
        asked.share.hold(len(part))
        body += part
        if len(body) > asked.limit:
            response.close()
            raise problems.too_big(asked.what, asked.limit)
        await asyncio.sleep(0)  # a fast server leaves the event loop to others
    return bytes(body)


def _failure(what: str, error: Exception) -> Exception:
    if is_forbidden_address(error):
        return problems.refused(what, "Nopea may not connect to its address", _NETWORKS)
    if is_untrusted(error):
        return problems.refused(what, f"the server {describe(error)}", _AUTHORITY)
    return problems.unreachable(what, f"the server {describe(error)}")
