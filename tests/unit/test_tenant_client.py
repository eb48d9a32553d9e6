"""Requests to servers that tenants name; tests/keys and tests/downloads try them with TLS and proxies."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from nopea.core.git.networks import Networks
from nopea.http_client import is_forbidden_address
from nopea.tenant_client import TenantClient


@asynccontextmanager
async def _redirecting() -> AsyncIterator[str]:
    """Serve redirects to the same address; yield the URL."""

    async def answer(request: web.BaseRequest) -> web.Response:
        return web.Response(status=302, headers={"Location": str(request.url)}, text=await request.text())

    server = web.Server(answer)
    runner = web.ServerRunner(server)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}/"
    finally:
        await runner.cleanup()


async def test_the_networks_limit_what_a_tenant_names_and_not_what_an_operator_does() -> None:
    """A redirect is an answer like any other."""
    async with _redirecting() as url, TenantClient(Networks.PRIVATE, {}, connections=1) as client:
        with pytest.raises(aiohttp.ClientConnectorError) as raised:
            async with client.request("GET", url, headers={}):
                pass
        async with client.request("POST", url, headers={}, body=b"hello", anywhere=True) as response:
            answered = response.status, await response.text()

    assert is_forbidden_address(raised.value)
    assert answered == (302, "hello")


async def test_a_proxy_is_not_asked_for_a_forbidden_address() -> None:
    """Unless an operator chose the address."""
    async with (
        _redirecting() as proxy,
        TenantClient(Networks.PRIVATE, {"https_proxy": proxy}, connections=1) as client,
    ):
        with pytest.raises(PermissionError) as raised:
            async with client.request("GET", "https://127.0.0.1/", headers={}):
                pass
        with pytest.raises(aiohttp.ClientHttpProxyError):
            async with client.request("GET", "https://127.0.0.1/", headers={}, anywhere=True):
                pass

    assert is_forbidden_address(raised.value)


async def test_a_client_that_is_not_open_sends_nothing() -> None:
    """That is a bug of the caller."""
    client = TenantClient(Networks.ANY, {}, connections=1)

    with pytest.raises(RuntimeError, match="not open"):
        await client.request("GET", "http://x/", headers={}).__aenter__()
