"""An API server that answers TokenReviews and SubjectAccessReviews over HTTP, as a test says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from nopea.kube.client import KubeClient
from nopea.kube.config import ClusterConfig

TOKENS = "/apis/authentication.k8s.io/v1/tokenreviews"
ACCESS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


@dataclass
class Reviews:
    """Who has which token, and who may do what: `list shop`, `get shop/web`, or `list` for all namespaces."""

    users: dict[str, str] = field(default_factory=dict)
    rights: dict[str, set[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    broken: bool = False

    async def token(self, request: web.Request) -> web.Response:
        """Answer a TokenReview."""
        spec = (await request.json())["spec"]
        self.asked.append("token")
        if self.broken:
            return web.json_response({"kind": "Status", "code": 403, "message": f"no {spec}"}, status=403)
        name = self.users.get(spec["token"])
        user = {"username": name, "uid": f"uid of {name}", "groups": ["g"], "extra": {"k": ["v"]}}
        status: dict[str, Any] = {"authenticated": True, "user": user} if name else {"error": "invalid"}
        return web.json_response({"kind": "TokenReview", "status": status}, status=201)

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
        allowed = question in self.rights.get(spec["user"], set())
        return web.json_response({"kind": "SubjectAccessReview", "status": {"allowed": allowed}}, status=201)


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
