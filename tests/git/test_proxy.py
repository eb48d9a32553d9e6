"""Git through an HTTP proxy on loopback, which is asked to CONNECT."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from tests.git import faulty
from tests.git.conftest import MAIN, PATIENCE, running
from tests.git.faulty import FaultyServer
from tests.git.pki import issue
from tests.gitserver import GitServer, Origin

from nopea.core.git.networks import Networks
from nopea.core.git.source import Credentials, Remote
from nopea.core.problem import Code, StalledError, SyncError
from nopea.core.secret import Secret
from nopea.git.port import GitPort
from nopea.git.settings import GitSettings


@pytest.fixture
def settings(tmp_path: Path) -> GitSettings:
    """The settings of a controller in a cluster: the children read as few files as they ever do."""
    return GitSettings(cache_dir=tmp_path / "cache")


def tunnel(target: int) -> faulty.Behaviour:
    """Be a proxy that connects every name to one port on loopback."""

    def behave(connection: socket.socket, request: bytes) -> None:
        assert request.startswith(b"CONNECT ")
        with socket.create_connection(("127.0.0.1", target)) as upstream:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_copy, args=(connection, upstream), daemon=True)
            back.start()
            _copy(upstream, connection)
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            back.join()

    return behave


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


async def test_a_server_that_only_the_proxy_can_find_is_read(
    settings: GitSettings, root: Path, origin: Origin, tmp_path: Path
) -> None:
    """The name has no address here; the proxy gets its login and nothing of Git's."""
    authority = issue("Acme Root")
    leaf = issue("git.acme.invalid", by=authority, hosts=("git.acme.invalid",))
    files = leaf.files(tmp_path)
    login = Credentials(ca_crt=authority.pem, token=Secret("tok-4711"))
    remote = Remote("https://git.acme.invalid/shop.git", login)
    with GitServer(root, certificate=files) as server, FaultyServer(tunnel(server.port)) as proxy:
        through = f"http://acme:pr0xy-pass@127.0.0.1:{proxy.port}"
        proxies = {"https_proxy": through}
        async with running(GitPort(replace(settings, proxies=proxies, networks=Networks.PUBLIC))) as port:
            found = await port.sync(remote, MAIN, timeout_seconds=PATIENCE)
            with pytest.raises(StalledError) as denied:
                await port.sync(Remote("https://169.254.169.254/x"), MAIN, timeout_seconds=PATIENCE)
        asked = list(proxy.requests)

    assert found.id == origin.tip()
    assert denied.value.problems[0].code is Code.GIT_ADDRESS_DENIED
    assert all(request.startswith(b"CONNECT git.acme.invalid:443 ") for request in asked)
    assert not any(b"tok-4711" in request for request in asked)


async def test_no_proxy_is_reached_directly_and_a_dead_proxy_is_said(
    settings: GitSettings, root: Path, origin: Origin, tmp_path: Path
) -> None:
    """What is exempt needs no proxy; for the others its failure hides no password."""
    with FaultyServer(faulty.hang_up) as closed:
        dead = closed.port
    proxies = {"https_proxy": f"http://acme:pr0xy-pass@127.0.0.1:{dead}", "no_proxy": "127.0.0.0/8"}
    leaf = issue("git.acme.example", hosts=("127.0.0.1",))
    async with running(GitPort(replace(settings, proxies=proxies))) as port:
        with GitServer(root, certificate=leaf.files(tmp_path)) as server:
            exempt = Remote(server.url("shop.git"), Credentials(ca_crt=leaf.pem))
            direct = await port.sync(exempt, MAIN, timeout_seconds=PATIENCE)
        with pytest.raises(SyncError) as failure:
            await port.sync(Remote("https://git.acme.invalid/x"), MAIN, timeout_seconds=PATIENCE)

    assert direct.id == origin.tip()
    assert failure.value.problems[0].code is Code.GIT_UNREACHABLE
    assert "pr0xy-pass" not in str(failure.value)
