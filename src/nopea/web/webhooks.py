"""`POST /webhook…`: wakes the repositories that a push concerns, and has pull requests planned.

A delivery decides which repositories ask Git, never what is applied or planned. The response does not wait
for their work. Nothing is parsed before the sender is authenticated.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web
from cachetools import TTLCache
from multidict import CIMultiDictProxy

from nopea.core.api.repository import Repository
from nopea.core.api.spec import GitRepositorySpec, Provider
from nopea.core.objects import RepoKey
from nopea.core.problem import Code, Problem
from nopea.core.secret import Secret
from nopea.core.webhooks.delivery import NOT_ABOUT_REFS, Delivery, PullRequest
from nopea.core.webhooks.extract import extract
from nopea.core.webhooks.match import concerns, concerns_pull_request, matches_url
from nopea.core.webhooks.refused import RefusedError
from nopea.core.webhooks.verify import authenticate, is_unsigned_ping
from nopea.measure import Measure, not_measured
from nopea.state.repositories import RepositoryStore
from nopea.web.answers import accepted, ignored, not_authenticated, refused
from nopea.web.bodies import Bodies
from nopea.web.delivery_log import DeliveryLog
from nopea.web.secrets import HookSecrets, SharedSecret

RECENT_SECONDS = 600.0
MAX_RECENT = 4_096
"""Delivery ids that are remembered, because providers send a delivery again."""

_MAY_BE_THE_OLD_SECRET = {Code.WEBHOOK_SIGNATURE, Code.WEBHOOK_UNSIGNED, Code.WEBHOOK_NO_SECRET}
"""Refusals that another secret may lift: a token and a signing token need different headers."""


def _now() -> datetime:
    return datetime.now(UTC)


def _joined(raw_headers: CIMultiDictProxy[str]) -> dict[str, str]:
    """Return the headers by lower-case name; repeated headers are joined with commas (RFC 9110).

    So a request with two signatures, tokens or events has no valid one.
    """
    headers: dict[str, str] = {}
    for raw_name, value in raw_headers.items():
        name = raw_name.lower()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """The secret of an address, and the repositories that it may wake."""

    secret: Secret
    provider: Provider | None = None
    key: RepoKey | None = None
    """The repository in the address; None: all without a secret of their own."""
    own: tuple[str, str] | None = None
    """Namespace and name of the repository's own Secret; None: the process-wide secret."""


class Webhooks:
    """Receives deliveries. `wake` triggers repositories and returns those that it woke; it never blocks.

    `has_links` says whether files outside a repository's `spec.path` may matter to it. `plan` queues a pull
    request for a repository; None: they are not planned.
    """

    def __init__(
        self,
        *,
        repositories: RepositoryStore,
        wake: Callable[[Iterable[RepoKey]], tuple[RepoKey, ...]],
        has_links: Callable[[RepoKey], bool],
        secrets: HookSecrets,
        shared: SharedSecret,
        bodies: Bodies,
        why_not_ready: Callable[[], str],
        plan: Callable[[RepoKey, PullRequest], None] | None = None,
        measure: Measure = not_measured,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._repositories = repositories
        self._wake = wake
        self._has_links = has_links
        self._secrets = secrets
        self._shared = shared
        self._bodies = bodies
        self._why_not_ready = why_not_ready
        self._plan = plan
        self._measure = measure
        self._clock = clock
        self._now = now
        self._log = DeliveryLog(clock)
        self._recent: TTLCache[tuple[str, str], None] = TTLCache(MAX_RECENT, RECENT_SECONDS, timer=clock)

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoints."""
        return [
            web.post("/webhook/{namespace}/{name}", self._one),
            web.post("/webhook/{name}", self._named),
            web.post("/webhook", self._any),
        ]

    async def _one(self, request: web.Request) -> web.Response:
        key = RepoKey(request.match_info["namespace"], request.match_info["name"])
        return await self._answer(request, lambda: [key])

    async def _named(self, request: web.Request) -> web.Response:
        return await self._answer(request, lambda: self._repositories.named(request.match_info["name"]))

    async def _any(self, request: web.Request) -> web.Response:
        return await self._answer(request, None)

    async def _answer(
        self, request: web.Request, candidates: Callable[[], Sequence[RepoKey]] | None
    ) -> web.Response:
        began = self._clock()
        headers, has_proof = _joined(request.headers), True
        try:
            self._must_be_ready()
            async with self._bodies.held(request) as body:  # first: else it tells which addresses exist
                if is_unsigned_ping(headers):
                    return self._ping(request.path, began)
                has_proof = False
                endpoint = (
                    _Endpoint(self._shared.read())
                    if candidates is None
                    else await self._endpoint(candidates())
                )
                provider = await self._sender(headers, body, endpoint)
                has_proof = True
                delivery = extract(provider, headers, body)
            self._must_be_ready()  # the body may have been slow
        except RefusedError as error:
            answer = refused(error) if has_proof else not_authenticated()
            self._measure("unknown", "refused", self._clock() - began)
            self._log.refused(
                request.path, error.problem, status=answer.status, namespace=self._namespace(request)
            )
            return answer
        keys, reason = self._act(delivery, endpoint, address=request.path)
        seconds = self._clock() - began
        effect = "planned" if delivery.pull_request is not None else "woken"
        self._measure(delivery.provider, effect if keys else "ignored", seconds)
        self._log.received(
            request.path,
            delivery.provider,
            keys if effect == "woken" else (),
            planned=keys if effect == "planned" else (),
            ignored=reason,
            seconds=seconds,
            namespace=self._namespace(request),
        )
        return accepted(effect, keys) if keys else ignored(reason)

    def _ping(self, path: str, began: float) -> web.Response:
        """Answer a test that nobody signed, at any address: it says no more than that Nopea is reached."""
        seconds = self._clock() - began
        self._measure(Provider.BITBUCKET_DATA_CENTER, "ignored", seconds)
        self._log.received(path, Provider.BITBUCKET_DATA_CENTER, (), ignored="ping", seconds=seconds)
        return ignored("ping")

    def _namespace(self, request: web.Request) -> str:
        """Return the namespace of the GitRepository in the address; empty if there is none, or not one."""
        name, namespace = request.match_info.get("name", ""), request.match_info.get("namespace")
        if namespace is not None:
            return namespace if self._repositories.get(RepoKey(namespace, name)) else ""
        keys = self._repositories.named(name) if name else ()
        return keys[0].namespace if len(keys) == 1 else ""

    def _must_be_ready(self) -> None:
        """Refuse while repositories are not listed yet, and while the process drains."""
        if reason := self._why_not_ready():
            raise RefusedError.because(
                Code.WEBHOOK_TRY_AGAIN,
                f"Nopea is not ready: {reason}.",
                "Send the delivery again later. Every repository asks Git when Nopea starts.",
                retry_after_seconds=10,
            )

    async def _endpoint(self, keys: Sequence[RepoKey]) -> _Endpoint:
        if len(keys) > 1:
            raise RefusedError.because(
                Code.WEBHOOK_AMBIGUOUS_NAME,
                f"{len(keys)} namespaces have a GitRepository of this name.",
                "Send the delivery to /webhook/NAMESPACE/NAME.",
            )
        repository = self._repositories.get(keys[0]) if keys else None
        if repository is None:
            raise RefusedError.because(
                Code.WEBHOOK_UNKNOWN_REPOSITORY,
                "There is no GitRepository for this address.",
                "Correct the URL of the webhook: /webhook/NAMESPACE/NAME.",
            )
        spec = repository.spec
        if isinstance(spec, Problem):  # it may name a Secret that is unknown here
            raise RefusedError.because(
                Code.WEBHOOK_NO_SECRET, "The spec of the GitRepository is invalid.", "Correct the spec."
            )
        if spec.webhook is None:
            return _Endpoint(self._shared.read(), key=repository.key)
        own = (repository.key.namespace, spec.webhook.secret_ref.name)
        return _Endpoint(await self._secrets.read(*own), spec.webhook.provider, repository.key, own)

    async def _sender(self, headers: dict[str, str], body: bytes, endpoint: _Endpoint) -> Provider:
        """Return the provider of the authenticated sender. Raises RefusedError."""
        try:
            return authenticate(headers, body, endpoint.secret, provider=endpoint.provider, now=self._now())
        except RefusedError as error:
            if endpoint.own is None or error.problem.code not in _MAY_BE_THE_OLD_SECRET:
                raise
            renewed = await self._secrets.read_again(*endpoint.own)  # the Secret may just have been changed
            if renewed is None or renewed == endpoint.secret:
                raise
            return authenticate(headers, body, renewed, provider=endpoint.provider, now=self._now())

    def _act(
        self, delivery: Delivery, endpoint: _Endpoint, *, address: str
    ) -> tuple[tuple[RepoKey, ...], str]:
        """Wake the repositories that the delivery concerns, or have its pull request planned for them.

        Return them; without any, return why.
        """
        if delivery.ignored:
            return (), delivery.ignored
        if delivery.pull_request is not None and self._plan is None:
            return (), NOT_ABOUT_REFS
        if delivery.id and (address, delivery.id) in self._recent:
            return (), "duplicate"
        candidates = self._candidates(delivery, endpoint.key)
        if not candidates:
            return (), "other repository"
        concerned = [
            repository for repository, spec in candidates if self._concerns(repository.key, spec, delivery)
        ]
        if not concerned:
            return (), "other ref or paths"
        able = [repository.key for repository in concerned if not repository.suspended]
        keys = self._wake(able) if delivery.pull_request is None else tuple(able)
        if delivery.pull_request is not None and self._plan is not None:
            for key in keys:
                self._plan(key, delivery.pull_request)
        if keys and delivery.id:  # a repetition that woke no repository gets the same reason again
            self._recent[address, delivery.id] = None
        return keys, "" if keys else "suspended"

    def _concerns(self, key: RepoKey, spec: GitRepositorySpec, delivery: Delivery) -> bool:
        if delivery.pull_request is not None:
            return spec.plan_pull_requests and concerns_pull_request(spec, delivery)
        return concerns(spec, delivery, has_links=self._has_links(key))

    def _candidates(
        self, delivery: Delivery, key: RepoKey | None
    ) -> list[tuple[Repository, GitRepositorySpec]]:
        """Return the repository in the address, else all with this URL and without a secret of their own.

        Called only for authenticated senders: it is the one step here that takes longer with more
        repositories.
        """
        if key is not None:
            named = self._repositories.get(key)
            return [(named, named.spec)] if named and isinstance(named.spec, GitRepositorySpec) else []
        return [
            (repository, spec) for repository in self._repositories.all()
            if isinstance(spec := repository.spec, GitRepositorySpec)
            and spec.webhook is None
            and matches_url(spec.url, delivery)
        ]  # fmt: skip
