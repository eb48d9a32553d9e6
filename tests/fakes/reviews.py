"""An API server that answers TokenReviews and SubjectAccessReviews as a test says, over HTTP or at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from nopea.core.objects import Resource
from nopea.kube.client import KubeClient
from nopea.kube.config import ClusterConfig
from nopea.kube.kinds import TOKEN_REVIEWS

TOKENS = "/apis/authentication.k8s.io/v1/tokenreviews"
ACCESS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


@dataclass
class Reviews:
    """Who has which token, and who may do what: `list shop`, `get shop/web`, or `list` for all namespaces."""

    users: dict[str, str] = field(default_factory=dict)
    rights: dict[str, set[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    broken: bool = False
    goes_on: asyncio.Event | None = None
    """If there is one, answers wait for it: all, or those to the questions in `slow`."""

    slow: set[str] = field(default_factory=set)

    async def token(self, request: web.Request) -> web.Response:
        """Answer a TokenReview."""
        spec = (await request.json())["spec"]
        self.asked.append("token")
        await self._may_go_on()
        if self.broken:
            return web.json_response({"kind": "Status", "code": 403, "message": f"no {spec}"}, status=403)
        return web.json_response({"kind": "TokenReview", "status": self.status_of(spec["token"])}, status=201)

    def status_of(self, token: str) -> dict[str, Any]:
        """Return the status of a TokenReview."""
        name = self.users.get(token)
        user = {"username": name, "uid": f"uid of {name}", "groups": ["g"], "extra": {"k": ["v"]}}
        return {"authenticated": True, "user": user} if name else {"error": "invalid"}

    async def _may_go_on(self) -> None:
        if self.goes_on is not None and (not self.slow or self.asked[-1] in self.slow):
            await self.goes_on.wait()

    async def access(self, request: web.Request) -> web.Response:
        """Answer a SubjectAccessReview; the whole identity must have come."""
        spec = (await request.json())["spec"]
        assert (spec["groups"], spec["extra"], spec["uid"]) == (["g"], {"k": ["v"]}, f"uid of {spec['user']}")
        about = spec["resourceAttributes"]
        assert about["group"] == "nopea.io"
        where = f"{about['namespace']}/{about.get('name', '')}".rstrip("/")
        question = (
            f"{about['verb']} {'inventories ' if about['resource'] == 'inventories' else ''}{where}".strip()
        )
        self.asked.append(f"{spec['user']}: {question}")
        await self._may_go_on()
        allowed = question in self.rights.get(spec["user"], set())
        return web.json_response({"kind": "SubjectAccessReview", "status": {"allowed": allowed}}, status=201)


class TokenReviews(KubeClient):
    """A client that answers TokenReviews at once, without a server: for tests in virtual time."""

    def __init__(self, reviews: Reviews) -> None:
        super().__init__(ClusterConfig(server="http://unused.example"))
        self._reviews = reviews

    async def review(self, body: bytes, *, of: Resource = TOKEN_REVIEWS) -> bytes:
        """Answer a TokenReview."""
        assert of == TOKEN_REVIEWS
        self._reviews.asked.append("token")
        token = json.loads(body)["spec"]["token"]
        return json.dumps({"status": self._reviews.status_of(token)}).encode()


@asynccontextmanager
async def reviewing(reviews: Reviews) -> AsyncIterator[KubeClient]:
    """Serve the reviews; yields a client of the server."""
    app = web.Application()
    app.router.add_post(TOKENS, reviews.token)
    app.router.add_post(ACCESS, reviews.access)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    try:
        async with KubeClient(ClusterConfig(server=f"http://127.0.0.1:{port}")) as client:
            yield client
    finally:
        await runner.cleanup()
