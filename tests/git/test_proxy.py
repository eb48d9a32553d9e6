"""Git through an HTTP proxy on loopback, which is asked to CONNECT."""

from __future__ import annotations

import contextlib
import socket
import threading
from base64 import b64encode
from dataclasses import replace
from pathlib import Path

import pytest
from tests.git import faulty
from tests.git.conftest import MAIN, PATIENCE, running
from tests.git.faulty import FaultyServer
from tests.git.pki import issue
from tests.gitserver import GitServer, Origin

from nopea.core.git.networks import Networks
from nopea.core.git.source import Credentials, Proxy, Remote
from nopea.core.problem import Code, StalledError, SyncError
from nopea.core.secret import Secret
from nopea.git.port import GitPort
from nopea.git.settings import GitSettings


@pytest.fixture
def settings(tmp_path: Path) -> GitSettings:
    """The settings of a controller in a cluster: the children read as few files as they ever do."""
    return GitSettings(cache_dir=tmp_path / "cache")


def tunnel(target: int, *, login: bytes = b"") -> faulty.Behaviour:
    """Be a proxy that connects every name to one port on loopback, for those who log in."""

    def behave(connection: socket.socket, request: bytes) -> None:
        assert request.startswith(b"CONNECT ")
        if login and b"Proxy-Authorization: Basic " + b64encode(login) not in request:
            challenge = b'Proxy-Authenticate: Basic realm="x"\r\n'
            connection.sendall(faulty.answer("407 Proxy Authentication Required", headers=challenge))
            return
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


async def test_the_proxy_of_a_repository_wins_over_that_of_the_process(
    settings: GitSettings, root: Path, origin: Origin, tmp_path: Path
) -> None:
    """It is used also where no_proxy exempts the host, and gets the login of its own Secret only."""
    authority = issue("Acme Root")
    leaf = issue("git.acme.invalid", by=authority, hosts=("git.acme.invalid",))
    login = Credentials(ca_crt=authority.pem, token=Secret("tok-4711"))
    proxies = {"https_proxy": "http://127.0.0.1:1", "no_proxy": "acme.invalid"}
    with (
        GitServer(root, certificate=leaf.files(tmp_path)) as server,
        FaultyServer(tunnel(server.port, login=b"ac@me:p:r/0xy pass")) as served,
    ):
        proxy = Proxy(
            address=f"http://127.0.0.1:{served.port}", username="ac@me", password=Secret("p:r/0xy pass")
        )
        remote = Remote("https://git.acme.invalid/shop.git", login, proxy=proxy)
        async with running(GitPort(replace(settings, proxies=proxies))) as port:
            found = await port.sync(remote, MAIN, timeout_seconds=PATIENCE)
        asked = list(served.requests)

    assert found.id == origin.tip()
    assert all(request.startswith(b"CONNECT git.acme.invalid:443 ") for request in asked)
    assert not any(b"tok-4711" in request for request in asked)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "169.254.169.254"])
async def test_a_repository_cannot_use_a_proxy_to_reach_this_host(settings: GitSettings, host: str) -> None:
    """A proxy that a GitRepository names must be where Git servers may be; it gets no packet."""
    async with running(GitPort(replace(settings, networks=Networks.PRIVATE))) as port:
        with FaultyServer(faulty.always(faulty.answer("200 OK"))) as served:
            proxy = Proxy(address=f"http://{host}:{served.port}")
            for url in ("https://git.acme.invalid/x", "https://10.0.0.1/x"):
                for ask in (port.sync, port.ls_remote):
                    with pytest.raises(StalledError) as denied:
                        await ask(Remote(url, proxy=proxy), MAIN, timeout_seconds=PATIENCE)
                    assert denied.value.problems[0].code is Code.GIT_ADDRESS_DENIED
                    assert "spec.proxySecretRef" in denied.value.problems[0].hint
            assert served.requests == []


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        ("407 Proxy Authentication Required", Code.GIT_AUTHENTICATION, "the proxy refused access"),
        ("403 Forbidden", Code.GIT_UNREACHABLE, "403"),
        ("502 Bad Gateway", Code.GIT_UNREACHABLE, "502"),
        ("302 Found", Code.GIT_UNREACHABLE, "302"),
    ],
)
async def test_what_a_proxy_refuses_is_told_as_the_proxys(
    settings: GitSettings, status: str, code: Code, said: str
) -> None:
    """The hint names the Secret of the proxy, not that of Git."""
    headers = b'Proxy-Authenticate: Basic realm="x"\r\nLocation: http://169.254.169.254/\r\n'
    async with running(GitPort(settings)) as port:
        with FaultyServer(faulty.always(faulty.answer(status, headers=headers))) as served:
            proxy = Proxy(
                address=f"http://127.0.0.1:{served.port}", username="acme", password=Secret("pr0xy-pass")
            )
            with pytest.raises(SyncError) as failure:
                await port.sync(
                    Remote("https://git.acme.invalid/x", proxy=proxy), MAIN, timeout_seconds=PATIENCE
                )

    (problem,) = failure.value.problems
    assert problem.code is code
    assert said in problem.message
    assert "spec.proxySecretRef" in problem.hint
    assert "pr0xy-pass" not in str(failure.value)
