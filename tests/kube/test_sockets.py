"""Sockets to the API server are closed before their client ends."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.kube.objects import CONFIG_MAPS

from nopea.kube.client import KubeClient
from nopea.kube.config import ClusterConfig
from nopea.kube.errors import UnreachableError
from nopea.kube.sockets import Sockets
from nopea.tasks import spawn
from nopea_lab.certificates import CertificateFolder


@pytest.fixture
def resetting_port() -> Iterator[int]:
    """The port of a server that resets every connection immediately."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.close()

    serving = threading.Thread(target=serve)
    serving.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    serving.join()


def test_connections_that_are_reset_at_once_leave_nothing_behind(resetting_port: int) -> None:
    """No socket is left half closed, which would cause a warning."""
    config = ClusterConfig(server=f"https://127.0.0.1:{resetting_port}", insecure=True, origin="the test")

    async def ask(client: KubeClient) -> None:
        with pytest.raises(UnreachableError):
            await client.get(CONFIG_MAPS.at(name="web", namespace="shop"))

    async def ask_often() -> None:
        async with KubeClient(config) as client:
            for _ in range(10):
                await asyncio.gather(*(ask(client) for _ in range(30)))
                gc.collect()

    asyncio.run(ask_often())


async def test_leaving_waits_for_open_sockets() -> None:
    """`wait_closed` returns when the last socket is closed, or after a limit if one stays open."""
    sockets = Sockets()
    opened = sockets.open((socket.AF_INET, socket.SOCK_STREAM, 0))
    waiting = spawn(sockets.wait_closed(), name="leaving")
    await asyncio.sleep(0)
    assert not waiting.done()
    opened.close()
    async with asyncio.timeout(10):
        await waiting
    with sockets.open((socket.AF_INET, socket.SOCK_STREAM, 0)):
        async with asyncio.timeout(10):
            await sockets.wait_closed()


@dataclass(frozen=True, slots=True)
class _Frozen:
    """A TLS server that reads each request and never answers."""

    port: int
    connections: list[ssl.SSLSocket]

    def end(self) -> None:
        for connection in self.connections:
            connection.close()


@pytest.fixture
def frozen(tmp_path: Path) -> Iterator[_Frozen]:
    """A loopback server that answers nothing, not even the closure of TLS."""
    folder = CertificateFolder(tmp_path)
    folder.make()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder.certificate("apiserver"), folder.key("apiserver"))
    listener = socket.create_server(("127.0.0.1", 0))
    connections: list[ssl.SSLSocket] = []

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connections.append(context.wrap_socket(listener.accept()[0], server_side=True))
                connections[-1].recv(65536)

    serving = threading.Thread(target=serve)
    serving.start()
    made = _Frozen(listener.getsockname()[1], connections)
    yield made
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    serving.join()
    made.end()


def test_connections_to_a_frozen_server_are_closed(frozen: _Frozen) -> None:
    """After requests to a frozen API server time out, their TLS connections are closed as well."""
    config = ClusterConfig(server=f"https://127.0.0.1:{frozen.port}", insecure=True, origin="the test")

    async def ask(client: KubeClient) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                await client.get(CONFIG_MAPS.at(name="web", namespace="shop"))

    async def ask_in_vain() -> None:
        async with KubeClient(config) as client:
            await asyncio.gather(*(ask(client) for _ in range(3)))
            before = _established(frozen.port)
        after = _established(frozen.port)
        frozen.end()  # otherwise, if this test fails, a loop with open connections would not end
        await asyncio.sleep(0.1)
        assert (before, after) == (3, 0)

    asyncio.run(ask_in_vain())


def _established(port: int) -> int:
    """Count the established connections to a loopback port."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(peer.endswith(f":{port:04X}") and state == "01" for _, _, peer, state, *_ in lines)
