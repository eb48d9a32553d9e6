"""Requests to the API of a Git server, over real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.fakes.sink import CLOSE, GARBAGE, MID_BODY, Reply, Sink

from nopea.core.forge.comments import ForgeRequest
from nopea.core.git.networks import Networks
from nopea.core.secret import Secret
from nopea.pulls.api import MOST_BODY, ForgeApi, ForgeBusyError, ForgeRefusedError

TOKEN = Secret(b"Bearer tok-123456")


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Sink]:
    """Yield a server that answers with a document."""
    async with Sink(usual=Reply(status=200, body=b'{"id": 3}')) as opened:
        yield opened


async def _call(server: Sink, *, networks: Networks = Networks.ANY, method: str = "POST") -> bytes:
    async with ForgeApi(networks) as api:
        request = ForgeRequest(method=method, url=server.url("/api/v4/projects/a%2Fb/notes"), body=b"{}")
        return await api.call(request, TOKEN)


async def test_a_request_has_the_token_and_the_path_as_it_is(server: Sink) -> None:
    """An encoded slash is a part of the name of a project."""
    assert await _call(server) == b'{"id": 3}'

    (arrived,) = server.arrivals
    assert arrived.path == "/api/v4/projects/a%2Fb/notes"
    assert arrived.headers["authorization"] == "Bearer tok-123456"
    assert (arrived.headers["content-type"], arrived.body) == ("application/json", b"{}")


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 422])
async def test_a_refusal_has_its_status(server: Sink, status: int) -> None:
    """A redirect is one: the token goes to no other address."""
    server.usual = Reply(status=status, headers={"Location": server.url("/elsewhere")})

    with pytest.raises(ForgeRefusedError, match=rf"http://127.0.0.1:\d+/\*\*\* answered {status}") as caught:
        await _call(server)

    assert caught.value.status == status
    assert len(server.arrivals) == 1


@pytest.mark.parametrize(
    ("reply", "seconds"),
    [
        (Reply(status=503), 0),
        (Reply(status=429, headers={"Retry-After": "7"}), 7),
        (Reply(status=403, headers={"Retry-After": "7"}), 7),
        (Reply(status=403, headers={"X-RateLimit-Remaining": "0"}), 900),
        (Reply(status=429, headers={"Retry-After": "86400"}), 900),
        (CLOSE, 0),
        (GARBAGE, 0),
        (MID_BODY, 0),
    ],
)
async def test_a_busy_or_broken_server_is_tried_again(server: Sink, reply: Reply, seconds: float) -> None:
    """After the pause that it asks for, up to a quarter of an hour."""
    server.usual = reply

    with pytest.raises(ForgeBusyError) as caught:
        await _call(server)

    assert caught.value.retry_after_seconds == seconds
    assert "tok-123456" not in str(caught.value)


async def test_an_endless_answer_is_not_kept(server: Sink) -> None:
    """A page of comments has a limit."""
    server.usual = Reply(status=200, body=b"x" * (MOST_BODY + 1))

    with pytest.raises(ForgeRefusedError, match="sent more than 8 MiB"):
        await _call(server)


async def test_a_denied_address_is_not_connected_to(server: Sink) -> None:
    """A GitRepository names the host."""
    with pytest.raises(ForgeBusyError, match="cannot be reached"):
        await _call(server, networks=Networks.PRIVATE)

    assert server.arrivals == []
