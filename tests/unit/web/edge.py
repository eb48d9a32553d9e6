"""A webhook server on loopback for tests, with the repositories that the test gives."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from tests.fakes.deliveries import SECRET, Sent
from tests.fakes.samples import NOW, repository

from nopea.core.api.repository import Repository
from nopea.core.objects import RepoKey, Target
from nopea.core.secret import Secret
from nopea.core.webhooks.delivery import PullRequest
from nopea.kube.errors import ApiError, ApiFailure, NotFoundError
from nopea.kube.live import LiveObject
from nopea.state.repositories import RepositoryStore
from nopea.web.bodies import Bodies
from nopea.web.secrets import HookSecrets, SharedSecret
from nopea.web.server import listening, webhook_listener
from nopea.web.webhooks import Webhooks

LIMIT = 64 * 1024
HOOK = {"secretRef": {"name": "hook"}}
"""`spec.webhook` of a repository with a secret of its own."""


@dataclass
class Clock:
    """A clock that the test moves."""

    seconds: float = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class SecretsOfCluster:
    """The Secrets of an API server: `data` by `namespace/name`; if `error` is set, reads raise it."""

    data: dict[str, dict[str, str]] = field(default_factory=dict)
    error: ApiError | None = None
    reads: int = 0
    delay_seconds: float = 0.0

    async def get(self, target: Target) -> LiveObject:
        """Respond as the API server does."""
        self.reads += 1
        await asyncio.sleep(self.delay_seconds)
        if self.error is not None:
            raise self.error
        data = self.data.get(f"{target.namespace}/{target.name}")
        if data is None:
            raise NotFoundError(ApiFailure(code=404, message="not found"))
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        return LiveObject(json.dumps({"kind": "Secret", "apiVersion": "v1", "data": encoded}).encode())


@dataclass(frozen=True, slots=True)
class Answered:
    """The response that a sender gets."""

    status: int
    body: Any
    headers: dict[str, str]

    @property
    def code(self) -> str:
        """The error code of the response."""
        return str(self.body["code"])


class Edge:
    """Repositories with their secrets, and a client; `woken` and `planned` are in order."""

    def __init__(self, repositories: Iterable[Repository], *, shared: str, file: Path | None) -> None:
        self.clock = Clock()
        self.cluster = SecretsOfCluster()
        self.repositories = RepositoryStore()
        for one in repositories:
            self.repositories.put(one)
        self.woken: list[str] = []
        self.plans = True
        self.planned: list[tuple[str, int]] = []
        self.with_links: set[str] = set()
        self.measured: list[tuple[str, str]] = []
        self.reason = ""
        self.port = 0
        self.now = NOW
        self.bodies = Bodies(limit=LIMIT)
        self.session: aiohttp.ClientSession | None = None
        self.secrets = HookSecrets(lambda _: self.cluster, clock=self.clock)
        self.shared = SharedSecret(Secret(shared), file)

    def wake(self, keys: Iterable[RepoKey]) -> tuple[RepoKey, ...]:
        """Record the repositories, as the controller would wake them."""
        woken = tuple(keys)
        self.woken += map(str, woken)
        return woken

    def plan(self, key: RepoKey, pull_request: PullRequest) -> None:
        """Record the pull request."""
        self.planned.append((str(key), pull_request.number))

    def webhooks(self) -> Webhooks:
        """Return the endpoints with the parts of this class."""
        return Webhooks(
            repositories=self.repositories,
            wake=self.wake,
            has_links=lambda key: key.name in self.with_links,
            secrets=self.secrets,
            shared=self.shared,
            bodies=self.bodies,
            why_not_ready=lambda: self.reason,
            plan=self.plan if self.plans else None,
            measure=lambda what, ended, seconds: self.measured.append((what, ended)),  # noqa: ARG005
            clock=self.clock,
            now=lambda: self.now,
        )

    async def send(self, path: str, sent: Sent, **headers: str) -> Answered:
        """Send a delivery and return the response."""
        return await self.request("POST", path, data=sent.body, headers={**sent.headers, **headers})

    async def request(self, method: str, path: str, **options: Any) -> Answered:
        """Send any request and return the response."""
        assert self.session is not None
        url = f"http://127.0.0.1:{self.port}{path}"
        async with self.session.request(method, url, **options) as answer:
            text = await answer.text()
            is_json = answer.content_type == "application/json"
            return Answered(answer.status, json.loads(text) if is_json else text, dict(answer.headers))


async def until(claim: Callable[[], bool], *, seconds: float = 10.0) -> None:
    """Wait until the claim is true."""
    async with asyncio.timeout(seconds):
        while not claim():  # noqa: ASYNC110 - the server has no event to wait for
            await asyncio.sleep(0.005)


@asynccontextmanager
async def receiving(
    *repositories: Repository,
    shared: str = "",
    file: Path | None = None,
    limit: int = LIMIT,
    plans: bool = True,
    **bounds: Any,
) -> AsyncIterator[Edge]:
    """Serve while the context is open; without repositories there is shop/api, which has a Secret."""
    edge = Edge(repositories or (repository(webhook=HOOK),), shared=shared, file=file)
    edge.cluster.data["shop/hook"] = {"token": SECRET}
    edge.bodies = Bodies(limit=limit, **bounds)
    edge.plans = plans
    routes = edge.webhooks().routes()
    before = asyncio.all_tasks()
    server = listening(webhook_listener(host="127.0.0.1", port=0, routes=routes))
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    async with session as edge.session, server as edge.port:
        yield edge
    await until(lambda: asyncio.all_tasks() <= before)  # aiohttp's own tasks end shortly after their sockets
