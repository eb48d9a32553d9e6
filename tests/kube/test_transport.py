"""The transport with servers, proxies and networks that misbehave."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
from aiohttp import web
from tests.kube.objects import CONFIG_MAPS, config_map
from tests.kube.server import answers, json_answer, named, serving, status_body, talking_to

from nopea.core.problem import Code
from nopea.core.secret import Secret
from nopea.kube.client import KubeClient
from nopea.kube.config import ClusterConfig, User
from nopea.kube.errors import ServerError, UnauthorizedError, UnreachableError
from nopea.kube.load import load_config
from nopea.kube.problems import to_problem
from nopea_lab.lab import Lab

TARGET = CONFIG_MAPS.at(name="a", namespace="shop")


async def test_a_401_is_closed_when_no_other_credentials_can_be_read(tmp_path: Path) -> None:
    """If the server refuses a token whose file is gone, the connection is closed and not leaked."""
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


async def test_a_truncated_response_is_an_error() -> None:
    """A response that is shorter than its Content-Length is UnreachableError."""

    async def cutter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"kind":')
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(cutter, "127.0.0.1", 0)
    async with server, KubeClient(ClusterConfig(server=_url(server))) as client:
        with pytest.raises(UnreachableError, match="in the middle of its answer"):
            await client.get(TARGET)


def _url(server: asyncio.Server) -> str:
    return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_repeatable_request_survives_a_closed_connection() -> None:
    """If the server closes a kept connection, an apply is sent again on a new one."""
    stored = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}'
    connections = 0

    async def one_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(_length_of(head))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(stored), stored))
        await writer.drain()
        if not reader.at_eof():
            await reader.read(1)  # the second request arrives, and the server disconnects
        writer.transport.abort()

    server = await asyncio.start_server(one_answer, "127.0.0.1", 0)
    async with server, KubeClient(ClusterConfig(server=_url(server))) as client:
        await client.apply(TARGET, config_map("a"))
        await client.apply(TARGET, config_map("a"))

    assert connections == 2


def _length_of(head: bytes) -> int:
    for line in head.decode().split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == "content-length":
            return int(value)
    return 0


async def test_redirects_are_not_followed() -> None:
    """A redirect is an error, and credentials are not sent to another server."""
    async with serving(answers(json_answer(named("a")))[0]) as other:
        handler, seen = answers(lambda: web.Response(status=302, headers={"Location": other}))
        async with talking_to(handler) as client:
            with pytest.raises(ServerError, match="302"):
                await client.get(TARGET)
    assert len(seen) == 1


async def test_refused_connection() -> None:
    """A port without a server is UnreachableError, with the code for an unreachable API server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        async with KubeClient(ClusterConfig(server=f"https://127.0.0.1:{port}")) as client:
            with pytest.raises(UnreachableError, match="cannot be reached") as refused:
                await client.get(TARGET)
    assert to_problem(refused.value).code is Code.API_UNREACHABLE


async def test_unknown_authority_and_wrong_name_are_refused(lab: Lab) -> None:
    """The server must present a certificate of the cluster's authority for the requested name."""
    config = load_config(lab.kubeconfig)
    system = ClusterConfig(server=config.server, user=config.user)
    renamed = ClusterConfig(
        server=config.server, user=config.user, ca=config.ca, tls_server_name="other.example.com"
    )
    right = ClusterConfig(server=config.server, user=config.user, ca=config.ca, tls_server_name="localhost")
    insecure = ClusterConfig(server=config.server, user=config.user, insecure=True)

    for wrong in (system, renamed):
        async with KubeClient(wrong) as client:
            with pytest.raises(UnreachableError, match="certificate that is not trusted"):
                await client.read("/version")
    for fine in (right, insecure):
        async with KubeClient(fine) as client:
            await client.read("/version")


async def test_a_rotated_token_is_read_again_on_401(tmp_path: Path) -> None:
    """A token that the server refuses is read from its file again, and the request is repeated once."""
    token = tmp_path / "token"
    token.write_text("old\n")
    shown: list[str] = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        shown.append(request.headers["Authorization"])
        if shown[-1] != "Bearer new":
            return json_answer(status_body(401, "Unauthorized"), status=401)()
        return json_answer(named("a"))()

    async with (
        serving(handler) as url,
        KubeClient(ClusterConfig(server=url, user=User(token=token))) as client,
    ):
        with pytest.raises(UnauthorizedError):
            await client.get(TARGET)
        token.write_text("new\n")
        await client.get(TARGET)
        await client.get(TARGET)

    assert shown == ["Bearer old", "Bearer old", "Bearer new", "Bearer new"]


async def test_basic_credentials_without_impersonation() -> None:
    """User name and password become a Basic header, and no impersonation header is sent."""
    seen: list[web.BaseRequest] = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        seen.append(request)
        return json_answer(named("a"))()

    user = User(username="ann", password=Secret("pass"))
    async with serving(handler) as url, KubeClient(ClusterConfig(server=url, user=user)) as client:
        await client.get(TARGET)
    assert seen[0].headers["Authorization"] == "Basic YW5uOnBhc3M="
    assert seen[0].headers["User-Agent"].startswith("nopea/")
    assert "Impersonate-User" not in seen[0].headers


async def test_requests_through_a_proxy() -> None:
    """With a proxy-url, requests go to the proxy with their full URL."""
    handler, seen = answers(json_answer(named("a")))
    async with serving(handler) as proxy:
        config = ClusterConfig(server="http://cluster.example.com:8080", proxy_url=proxy)
        async with KubeClient(config) as client:
            await client.get(TARGET)
    assert str(seen[0].url).startswith("http://cluster.example.com:8080/api/v1/")


async def test_a_silent_server_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that accepts a request and never answers is UnreachableError at the deadline."""
    monkeypatch.setattr("nopea.kube.transport.ANSWER_SECONDS", 0.2)

    async def handler(_: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(60)
        return web.Response()

    async with talking_to(handler) as client:
        with pytest.raises(UnreachableError, match="did not answer"):
            await client.get(TARGET)
        assert client.limiter.used == 0


async def test_a_response_over_the_limit_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A response over the size limit is an error; a list requests smaller chunks first."""
    monkeypatch.setattr("nopea.kube.transport.BODY_LIMIT", 10_000)
    limits: list[str] = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        limits.append(request.query.get("limit", ""))
        return web.Response(body=b"x" * 20_000)

    async with talking_to(handler) as client:
        with pytest.raises(ServerError, match="larger than"):
            await client.get(TARGET)
        with pytest.raises(ServerError, match="larger than"):
            await client.list(CONFIG_MAPS)
    assert limits == ["", "500", "62", "7", "1"]
