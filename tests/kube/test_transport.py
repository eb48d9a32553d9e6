"""The transport against servers, proxies and networks that misbehave."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import web
from tests.kube.objects import CONFIG_MAPS
from tests.kube.server import serving

from nopea.kube.client import KubeClient
from nopea.kube.config import ClusterConfig, User
from nopea.kube.errors import UnauthorizedError

TARGET = CONFIG_MAPS.at(name="a", namespace="shop")


async def test_a_401_is_closed_when_no_other_credentials_can_be_read(tmp_path: Path) -> None:
    """The token's file is gone when the server refuses the token: the connection is closed, not leaked."""
    token = tmp_path / "token"
    token.write_text("old")
    closed = asyncio.Event()

    async def refuse_slowly(request: web.BaseRequest) -> web.StreamResponse:
        token.unlink()
        response = web.StreamResponse(status=401)
        await response.prepare(request)
        try:
            await asyncio.sleep(3600)  # the body never ends
        finally:
            closed.set()
        return response

    async with (
        serving(refuse_slowly) as url,
        KubeClient(ClusterConfig(server=url, user=User(token=token))) as client,
    ):
        with pytest.raises(UnauthorizedError, match="token"):
            await client.get(TARGET)
        async with asyncio.timeout(2):
            await closed.wait()
