"""Registries, which the tests share (each pushes to repositories of its own), and a chart repository."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.downloads.registry import Registry
from tests.downloads.repository import ChartRepository
from tests.downloads.serving import Login, Tls
from tests.downloads.tokens import TokenServer
from tests.render.conftest import running

from nopea.core.git.networks import Networks
from nopea.downloads.port import Downloads
from nopea.render.port import RenderPort

LOGIN = Login("acme", "correct-horse")


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """The certificate of all servers of this folder; a client trusts `tls.ca_crt`."""
    return Tls.issued(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory, tls: Tls) -> Iterator[Registry]:
    """A registry over HTTPS from which and to which anybody may pull and push."""
    with Registry(tmp_path_factory.mktemp("registry"), tls=tls) as running:
        yield running


@pytest.fixture(scope="session")
def private_registry(tmp_path_factory: pytest.TempPathFactory, tls: Tls) -> Iterator[Registry]:
    """A registry over HTTPS that wants `LOGIN` by basic authentication."""
    with Registry(tmp_path_factory.mktemp("private-registry"), tls=tls, login=LOGIN) as running:
        yield running


@pytest.fixture
def token_server(tls: Tls) -> Iterator[TokenServer]:
    """A token server for `LOGIN`; `token_server.public` names what anybody may pull."""
    with TokenServer(LOGIN, tls=tls) as server:
        yield server


@pytest.fixture
def token_registry(
    tmp_path_factory: pytest.TempPathFactory, tls: Tls, token_server: TokenServer
) -> Iterator[Registry]:
    """A registry over HTTPS that wants bearer tokens of the token server, as GHCR and Docker Hub do."""
    with Registry(tmp_path_factory.mktemp("token-registry"), tls=tls, tokens=token_server) as running:
        yield running


@pytest.fixture
def chart_repository(tls: Tls) -> Iterator[ChartRepository]:
    """An empty chart repository over HTTPS."""
    with ChartRepository(tls=tls) as server:
        yield server


@pytest_asyncio.fixture
async def renderer(tmp_path: Path) -> AsyncIterator[RenderPort]:
    """What reads an index."""
    async with running(tmp_path / "render") as opened:
        yield opened


@pytest_asyncio.fixture
async def downloads(renderer: RenderPort) -> AsyncIterator[Downloads]:
    """The port, which may connect to this host."""
    async with Downloads(renderer.index, networks=Networks.ANY) as opened:
        yield opened
