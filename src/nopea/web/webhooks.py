"""`POST /webhook…`: a push is announced; the repositories that it concerns look at Git.

A delivery is a hint: it decides who looks, never what is applied. Everything here is answered at once; the
work is done by the workers that are woken. Nothing is parsed before the sender has proved who it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web
from multidict import CIMultiDictProxy

from nopea import log_events
from nopea.core.api.repository import Repository
from nopea.core.api.spec import GitRepositorySpec, Provider
from nopea.core.objects import RepoKey
from nopea.core.problem import Code, Problem
from nopea.core.secret import Secret
from nopea.core.webhooks.delivery import Delivery
from nopea.core.webhooks.extract import extract
from nopea.core.webhooks.match import concerns, matches_url
from nopea.core.webhooks.shapes import loggable
from nopea.core.webhooks.verify import Refused, authenticate
from nopea.logs import Log
from nopea.measure import Measure, not_measured
from nopea.state.repositories import RepositoryStore
from nopea.web.allowance import Allowance
from nopea.web.answers import Declined, ignored, refused, woken
from nopea.web.bodies import Bodies
from nopea.web.secrets import HookSecrets, SharedSecret
from nopea.web.seen import RecentDeliveries

log = Log(__name__)

_LONGEST_ADDRESS = 160
_MAY_BE_THE_OLD_SECRET = {Code.WEBHOOK_SIGNATURE, Code.WEBHOOK_UNSIGNED, Code.WEBHOOK_NO_SECRET}
"""Refusals that a secret of another kind would turn: a token and a signing token want different headers."""


def _now() -> datetime:
    return datetime.now(UTC)


def _joined(raw_headers: CIMultiDictProxy[str]) -> dict[str, str]:
    """Return the headers by lower-case name; one that comes several times is what RFC 9110 makes of it.

    So two signatures, tokens or events are none, in either order.
    """
    headers: dict[str, str] = {}
    for raw_name, value in raw_headers.items():
        name = raw_name.lower()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _address(request: web.Request) -> str:
    return loggable(request.path, longest=_LONGEST_ADDRESS)


@dataclass(frozen=True, slots=True)
class _Gate:
    """What a delivery at an address must be signed with, and whom it may wake."""

    secret: Secret
    provider: Provider | None = None
    key: RepoKey | None = None
    """The repository that the address names; None: all without a secret of their own."""
    own: tuple[str, str] | None = None
    """Namespace and name of the repository's own Secret; None: the process-wide secret."""


class Webhooks:
    """Takes deliveries. `wake` puts the trigger into mailboxes and returns whose; it never blocks."""

    def __init__(
        self,
        *,
        repositories: RepositoryStore,
        wake: Callable[[Iterable[RepoKey]], tuple[RepoKey, ...]],
        secrets: HookSecrets,
        shared: SharedSecret,
        bodies: Bodies,
        why_not_ready: Callable[[], str],
        measure: Measure = not_measured,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._repositories = repositories
        self._wake = wake
        self._secrets = secrets
        self._shared = shared
        self._bodies = bodies
        self._why_not_ready = why_not_ready
        self._measure = measure
        self._clock = clock
        self._now = now
        self._seen = RecentDeliveries(clock)
        self._refusals = Allowance(clock, burst=20, seconds=3.0)
        self._idle = Allowance(clock, burst=100, seconds=0.5)

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
        try:
            self._must_be_ready()
            gate = _Gate(self._shared.read()) if candidates is None else await self._gate(candidates())
            async with self._bodies.held(request) as body:
                delivery = await self._taken_in(request, body, gate)
            self._must_be_ready()  # the body may have been slow
        except Declined as declined:
            self._measure("unknown", "refused", self._clock() - began)
            self._tell_refusal(request, declined)
            return refused(declined)
        keys, reason = self._whom(delivery, gate, address=request.path)
        self._measure(delivery.provider, "woken" if keys else "ignored", self._clock() - began)
        self._tell(request, delivery.provider, keys, reason, seconds=self._clock() - began)
        return woken(keys) if keys else ignored(reason)

    def _must_be_ready(self) -> None:
        """Before the first list nobody is known, and while the process drains nobody works any more."""
        if reason := self._why_not_ready():
            raise Declined.because(
                Code.WEBHOOK_TRY_AGAIN,
                f"Nopea is not ready: {reason}",
                "Send the delivery again later; every repository looks at Git when Nopea starts.",
                retry_after_seconds=10,
            )

    async def _gate(self, keys: Sequence[RepoKey]) -> _Gate:
        if len(keys) > 1:
            raise Declined.because(
                Code.WEBHOOK_AMBIGUOUS_NAME,
                f"{len(keys)} namespaces have a GitRepository of this name",
                "Send it to /webhook/NAMESPACE/NAME.",
            )
        repository = self._repositories.get(keys[0]) if keys else None
        if repository is None:
            raise Declined.because(
                Code.WEBHOOK_UNKNOWN_REPOSITORY,
                "there is no GitRepository at this address",
                "Correct the webhook's URL: /webhook/NAMESPACE/NAME.",
            )
        spec = repository.spec
        if isinstance(spec, Problem):  # it may name a Secret that cannot be read from it
            raise Declined.because(
                Code.WEBHOOK_NO_SECRET, "the GitRepository's spec cannot be read", "Correct its spec."
            )
        if spec.webhook is None:
            return _Gate(self._shared.read(), key=repository.key)
        own = (repository.key.namespace, spec.webhook.secret_ref.name)
        return _Gate(await self._secrets.read(*own), spec.webhook.provider, repository.key, own)

    async def _taken_in(self, request: web.Request, body: bytes, gate: _Gate) -> Delivery:
        """Prove the sender, then read what it says; raises Declined."""
        headers = _joined(request.headers)
        try:
            provider = await self._authenticated(headers, body, gate)
            return extract(provider, headers, body)
        except Refused as error:
            raise Declined(error.problem) from error

    async def _authenticated(self, headers: dict[str, str], body: bytes, gate: _Gate) -> Provider:
        try:
            return authenticate(headers, body, gate.secret, provider=gate.provider, now=self._now())
        except Refused as error:
            if gate.own is None or error.problem.code not in _MAY_BE_THE_OLD_SECRET:
                raise
            renewed = await self._secrets.read_again(*gate.own)  # the Secret may just have been changed
            if renewed is None or renewed == gate.secret:
                raise
            return authenticate(headers, body, renewed, provider=gate.provider, now=self._now())

    def _whom(self, delivery: Delivery, gate: _Gate, *, address: str) -> tuple[tuple[RepoKey, ...], str]:
        """Wake whom it concerns; without anybody, say why."""
        if delivery.ignored:
            return (), delivery.ignored
        if (address, delivery.id) in self._seen:
            return (), "duplicate"
        meant = self._meant(delivery, gate.key)
        if not meant:
            return (), "other repository"
        concerned = [one for one, spec in meant if concerns(spec, delivery)]
        if not concerned:
            return (), "other ref or paths"
        keys = self._wake(one.key for one in concerned if not one.suspended)
        if keys:  # what woke nobody is answered for its own reason again, should it come again
            self._seen.add((address, delivery.id))
        return keys, "" if keys else "suspended"

    def _meant(self, delivery: Delivery, key: RepoKey | None) -> list[tuple[Repository, GitRepositorySpec]]:
        """Return whom the address names, else all that have the URL and no secret of their own.

        Who has one has it so that nobody else's word counts. Asked only once the sender is proved: it is the
        one thing here that takes longer the more repositories there are.
        """
        if key is not None:
            named = self._repositories.get(key)
            return [(named, named.spec)] if named and isinstance(named.spec, GitRepositorySpec) else []
        return [
            (one, spec) for one in self._repositories.all()
            if isinstance(spec := one.spec, GitRepositorySpec)
            and spec.webhook is None
            and matches_url(spec.url, delivery)
        ]  # fmt: skip

    def _tell(
        self,
        request: web.Request,
        provider: Provider,
        keys: Sequence[RepoKey],
        reason: str,
        *,
        seconds: float,
    ) -> None:
        suppressed = 0 if keys else self._idle.take()  # one sort of ping comes unsigned
        if suppressed is not None:
            log.write(
                log_events.webhook_received,
                address=_address(request), provider=provider, woken=keys, ignored=reason,
                seconds=round(seconds, 4), suppressed=suppressed,
            )  # fmt: skip

    def _tell_refusal(self, request: web.Request, declined: Declined) -> None:
        suppressed = self._refusals.take()
        if suppressed is not None:
            log.write(
                log_events.webhook_refused,
                address=_address(request), status=int(declined.status),
                code=declined.problem.code, problem=declined.problem.message, suppressed=suppressed,
            )  # fmt: skip
