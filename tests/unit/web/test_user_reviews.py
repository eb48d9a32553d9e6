"""The endpoint of the API server's reports, over real TLS on loopback."""

from __future__ import annotations

import asyncio
import io
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from nopea.core.objects import ObjectKey
from nopea.core.users.write import ReportedObject
from nopea.state.user_record import UserRecord
from nopea.web.certificate import make_certificate
from nopea.web.server import listening, users_listener
from nopea.web.user_reviews import BODY_BYTES, UserReviews

TOKEN = "a-long-secret"
REQUEST = {
    "uid": "1", "operation": "UPDATE", "namespace": "shop", "name": "web",
    "resource": {"group": "", "version": "v1", "resource": "configmaps"},
    "userInfo": {"username": "ada"}, "object": {"metadata": {"uid": "u"}},
    "oldObject": {"metadata": {"uid": "u"}, "data": {"a": "b"}},
}  # fmt: skip
REVIEW = json.dumps({"apiVersion": "admission.k8s.io/v1", "request": REQUEST}).encode()


@dataclass(slots=True)
class Endpoint:
    """A served endpoint; `asked` are the objects that were asked for, and so would be recorded."""

    token: str = TOKEN
    port: int = 0
    asked: list[ReportedObject] = field(default_factory=list)
    session: aiohttp.ClientSession | None = None

    def find(self, place: ReportedObject) -> tuple[ObjectKey, str]:
        """Note the question; every object is a managed one."""
        self.asked.append(place)
        return ObjectKey("", "ConfigMap", "shop", "web"), "u"

    async def post(self, path: str, body: bytes = REVIEW, *, encoding: str = "identity") -> tuple[int, Any]:
        """Send a request and return the status and the JSON of the answer."""
        assert self.session is not None
        headers = {"Content-Encoding": encoding}
        url = f"https://127.0.0.1:{self.port}{path}"
        async with self.session.post(url, data=io.BytesIO(body), headers=headers) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if answer.content_type == "application/json" else text


@pytest_asyncio.fixture
async def endpoint(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Endpoint]:
    """Yield an endpoint on a free port, and a client that trusts its certificate."""
    monkeypatch.setattr("nopea.web.handshakes.HANDSHAKE_SECONDS", 0.3)
    made = make_certificate(["127.0.0.1"], now=datetime.now(UTC))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.load_into(context)
    served = Endpoint()
    routes = UserReviews(UserRecord(served.find), lambda: served.token).routes()
    trust = aiohttp.TCPConnector(ssl=ssl.create_default_context(cadata=made.pem))
    async with (
        listening(users_listener(host="127.0.0.1", port=0, routes=routes, tls=context)) as served.port,
        aiohttp.ClientSession(connector=trust) as served.session,
    ):
        yield served


async def test_a_review_is_allowed_and_recorded(endpoint: Endpoint) -> None:
    """The answer is that of the API's version 1."""
    status, answer = await endpoint.post(f"/users/{TOKEN}?timeout=1s")

    assert status == 200
    assert answer["response"] == {"uid": "1", "allowed": True}
    assert [place.name for place in endpoint.asked] == ["web"]


async def test_who_does_not_know_the_address_is_not_answered(endpoint: Endpoint) -> None:
    """A guess learns nothing, and an endpoint without a token knows nobody."""
    for path in ("/", "/users/", f"/users/{TOKEN}x", "/users/%00%ff", f"/users/{TOKEN[:-1]}"):
        status, _ = await endpoint.post(path)
        assert status == 404
    endpoint.token = ""
    for path in ("/users/", f"/users/{TOKEN}"):
        status, _ = await endpoint.post(path)
        assert status == 404
    assert endpoint.asked == []


async def test_rubbish_is_refused(endpoint: Endpoint) -> None:
    """Not even the API server can make it fail, or fill the memory."""
    for body in (b"", b"{}", b"[" * 10_000):
        assert (await endpoint.post(f"/users/{TOKEN}", body))[0] == 400
    assert (await endpoint.post(f"/users/{TOKEN}", encoding="gzip"))[0] == 415
    assert (await endpoint.post(f"/users/{TOKEN}", b"x" * (BODY_BYTES + 1)))[0] == 413
    await asyncio.sleep(0.1)  # the server reads on for a moment, so that the sender sees the answer
    assert endpoint.asked == []


async def test_silent_clients_are_let_go(endpoint: Endpoint) -> None:
    """Any Pod can connect; without a handshake the connection is closed soon."""
    reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
    async with asyncio.timeout(10):
        assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    assert (await endpoint.post(f"/users/{TOKEN}"))[0] == 200
