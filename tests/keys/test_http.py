"""Requests to servers on loopback: which are reached, by whom, and how much of an answer is read."""

from __future__ import annotations

import pytest
from aiohttp import web
from tests.downloads.serving import ThreadedServer, Tls

from nopea.core.decryption.wire import Call
from nopea.core.git.networks import Networks
from nopea.keys.http import MAX_ANSWER, KeyWeb, NoAnswerError


class Echo(ThreadedServer):
    """Answers with the body that it got; as a proxy it would be asked to CONNECT."""

    def __init__(self, tls: Tls | None) -> None:
        super().__init__(tls=tls)
        self.seen: list[tuple[str, str]] = []

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Remember the request."""
        self.seen.append((request.method, request.path))
        return web.Response(status=400, body=await request.read(), headers={"Retry-After": "3"})


def _call(server: ThreadedServer, body: bytes = b"{}") -> Call:
    return Call(url=f"{server.origin}/v1/x", headers={"Content-Type": "application/json"}, body=body)


async def test_an_answer_of_any_status_is_read(tls: Tls) -> None:
    """What a service says of an error is in its body."""
    with Echo(tls) as server:
        async with KeyWeb(Networks.ANY, {}) as web_:
            answer = await web_.send(_call(server, b'{"a": 1}'), is_ours=False, ca_crt=tls.ca_crt)

    assert (answer.status, answer.body, answer.retry_after) == (400, b'{"a": 1}', "3")
    assert server.seen == [("POST", "/v1/x")]
    assert '"a"' not in repr(answer)


async def test_an_answer_has_a_bound(tls: Tls) -> None:
    """It is in memory."""
    with Echo(tls) as server:
        async with KeyWeb(Networks.ANY, {}) as web_:
            with pytest.raises(NoAnswerError, match="larger than 64 KiB"):
                await web_.send(_call(server, b"x" * (MAX_ANSWER + 1)), is_ours=False, ca_crt=tls.ca_crt)


async def test_networks_limit_what_a_tenant_names_and_not_what_an_operator_does(tls: Tls) -> None:
    """The address of the connection counts."""
    with Echo(tls) as server:
        async with KeyWeb(Networks.PUBLIC, {}) as web_:
            with pytest.raises(NoAnswerError, match="may not connect") as raised:
                await web_.send(_call(server), is_ours=False, ca_crt=tls.ca_crt)
            assert raised.value.hint
            assert server.seen == []
            assert (await web_.send(_call(server), is_ours=True, ca_crt=tls.ca_crt)).status == 400


async def test_a_proxy_is_not_asked_for_an_address_that_is_forbidden(tls: Tls) -> None:
    """It could reach what Nopea may not; for any other host it is asked."""
    with Echo(None) as proxy, Echo(tls) as server:
        async with KeyWeb(Networks.PUBLIC, {"https_proxy": proxy.origin}) as web_:
            with pytest.raises(NoAnswerError, match="may not connect"):
                await web_.send(_call(server), is_ours=False)
            assert proxy.seen == []
            elsewhere = Call(url="https://vault.acme.example/v1/x", headers={}, body=b"")
            with pytest.raises(NoAnswerError):
                await web_.send(elsewhere, is_ours=False)

    assert [method for method, _ in proxy.seen] == ["CONNECT"]
    assert server.seen == []


async def test_a_certificate_that_is_not_trusted_is_told_with_what_to_do(tls: Tls) -> None:
    """Time does not mend it; an authority that cannot be read is an error too."""
    with Echo(tls) as server:
        async with KeyWeb(Networks.ANY, {}) as web_:
            with pytest.raises(NoAnswerError, match="certificate") as raised:
                await web_.send(_call(server), is_ours=False)
            assert "ca.crt" in raised.value.hint
            with pytest.raises(NoAnswerError):
                await web_.send(_call(server), is_ours=False, ca_crt="no certificate")
