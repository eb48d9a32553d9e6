"""The receivers of `spec.notify`: their routes, and delivery with what a Secret of the namespace holds.

A message is made when something happens, and its address is read when it is sent. So a Secret that is
corrected is used at the next attempt, and no address is kept. What stands in the way is an Event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cachetools import LRUCache

from nopea import log_events
from nopea.core.api.notify import NotificationKind, NotifyReceiver, ReceiverType, Severity
from nopea.core.api.repository import Repository
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.api.tenancy import TenancyPolicy
from nopea.core.notify.address import ReceiverAddress
from nopea.core.notify.alerts import LIFE_SECONDS
from nopea.core.notify.delivery import DeliveryPolicy
from nopea.core.notify.formats import SIGNATURE_HEADER, signature
from nopea.core.notify.lane import NotifyFilter
from nopea.core.notify.receiver import Endpoint, parse_receiver, receiver_problem
from nopea.core.objects import RepoKey
from nopea.core.problem import Problem
from nopea.core.secret import Secret
from nopea.core.status.transition import Transition
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiError, ForbiddenError, NotFoundError
from nopea.kube.events import EventRecorder, regarding
from nopea.kube.kinds import SECRETS
from nopea.logs import Log
from nopea.notify.http import Message, NoResponseError, Post, Response
from nopea.notify.outbox import Outbox
from nopea.notify.routes import AlertRoute, Channel, MessageRoute, Route
from nopea.settings import NotifySettings

log = Log(__name__)

LABEL: Final = "spec.notify"
MAX_RECEIVERS: Final = 1000
MAX_RECEIVERS_OF_NAMESPACE: Final = 32
MAX_AT_ONCE: Final = 4
"""Requests of one namespace that are under way, so that slow receivers leave connections to others."""

MAX_TOLD: Final = 10
"""GitRepositories that get the Event about a receiver that they share."""

SECRET_SECONDS: Final = 5.0
CLOSE_SECONDS: Final = 30.0
POLICY: Final = DeliveryPolicy(
    most_messages=100, most_bytes=1024 * 1024, correctable=frozenset({401, 403, 404, 410}), gone_stops=False
)
ALERT_POLICY: Final = replace(POLICY, life_seconds=LIFE_SECONDS)
_UNKNOWN: Final = Secret(b"")


@dataclass(frozen=True, slots=True)
class _ReceiverKey:
    """Receivers with the same key are one: GitRepositories of a namespace share its messages."""

    namespace: str
    type: ReceiverType
    secret: str
    kinds: frozenset[NotificationKind]
    severity: Severity

    @property
    def where(self) -> str:
        """The Secret, for people."""
        return f"Secret {self.namespace}/{self.secret}"


@dataclass(slots=True)
class _Receiver:
    route: Route
    outbox: Outbox
    users: dict[RepoKey, Repository] = field(default_factory=dict)
    problem: Problem | None = None
    """What stands in the way, as its users have been told."""


class TenantReceivers:
    """All receivers of specs; bounded for each namespace, so that one leaves room for others."""

    def __init__(
        self,
        settings: NotifySettings,
        *,
        client: KubeClient,
        events: EventRecorder,
        post: Post,
        policy: TenancyPolicy,
        spawn: Callable[[Coroutine[Any, Any, None], str], None],
    ) -> None:
        """`post` sends where tenants may; `spawn` runs the queues."""
        self._settings = settings
        self._client = client
        self._events = events
        self._post = post
        self._policy = policy
        self._spawn = spawn
        self._receivers: dict[_ReceiverKey, _Receiver] = {}
        self._used: dict[RepoKey, frozenset[_ReceiverKey]] = {}
        self._slots: dict[str, asyncio.Semaphore] = {}
        self._refused: LRUCache[RepoKey, Problem] = LRUCache(MAX_RECEIVERS)
        self._leaving: set[Outbox] = set()

    @property
    def outboxes(self) -> tuple[Outbox, ...]:
        """The current queues."""
        return (*(receiver.outbox for receiver in self._receivers.values()), *self._leaving)

    def routes_of(self, transition: Transition) -> list[Route]:
        """Return the routes of a transition, made if they are new; those that it left are told so."""
        repository = transition.repository
        key = repository.key
        wanted = self._wanted(repository)
        for left in self._used.get(key, frozenset()) - wanted:
            self._leave(left, key)
        found = {each: self._receiver(each, repository) for each in wanted}
        known = {each: receiver for each, receiver in found.items() if receiver is not None}
        for receiver in known.values():
            receiver.users[key] = repository
        if known:
            self._used[key] = frozenset(known)
        else:
            self._used.pop(key, None)
        return [receiver.route for receiver in known.values()]

    def gone(self, key: RepoKey) -> None:
        """Drop a GitRepository that is deleted, after its last transition."""
        for each in self._used.pop(key, frozenset()):
            self._leave(each, key)

    def _wanted(self, repository: Repository) -> frozenset[_ReceiverKey]:
        spec = repository.spec
        if not isinstance(spec, GitRepositorySpec):
            return self._used.get(repository.key, frozenset())  # they learn that the spec is broken
        return frozenset(_key(repository.key.namespace, each) for each in spec.notify)

    def _receiver(self, key: _ReceiverKey, repository: Repository) -> _Receiver | None:
        receiver = self._receivers.get(key)
        if receiver is not None:
            return receiver
        of_namespace = sum(each.namespace == key.namespace for each in self._receivers)
        if len(self._receivers) >= MAX_RECEIVERS or of_namespace >= MAX_RECEIVERS_OF_NAMESPACE:
            problem = receiver_problem(
                "Not all of spec.notify are notified: there are too many receivers, at most "
                f"{MAX_RECEIVERS_OF_NAMESPACE} in a namespace.",
                "Let its GitRepositories share receivers, with the same events and severity.",
            )
            if self._refused.get(repository.key) != problem:
                self._refused[repository.key] = problem
                self._record(repository, problem)
            return None
        receiver = self._receivers[key] = self._made(key)
        self._spawn(receiver.outbox.run(), f"outbox {receiver.outbox.name}")
        return receiver

    def _made(self, key: _ReceiverKey) -> _Receiver:
        async def post(message: Message) -> Response:
            return await self._deliver(key, message)

        is_board = key.type is ReceiverType.ALERTMANAGER
        name = f"{key.type} of {key.where}"
        outbox = Outbox(name, post, policy=ALERT_POLICY if is_board else POLICY, label=LABEL)
        channel = Channel(key.type, ReceiverAddress(url=_UNKNOWN, shown=name), outbox)
        wanted = NotifyFilter(kinds=key.kinds, severity=key.severity)
        settings = self._settings
        route: Route
        if is_board:
            route = AlertRoute(channel, wanted, cluster=settings.cluster, hold_seconds=settings.after_seconds)
        else:
            route = MessageRoute(
                (channel,),
                wanted,
                per_minute=settings.per_minute,
                cluster=settings.cluster,
                hold_seconds=settings.after_seconds,
            )
        return _Receiver(route, outbox)

    def _leave(self, key: _ReceiverKey, repository: RepoKey) -> None:
        receiver = self._receivers.get(key)
        if receiver is None:
            return
        receiver.users.pop(repository, None)
        receiver.route.forget(repository)
        if not receiver.users:
            receiver.route.release(now=asyncio.get_running_loop().time())
            del self._receivers[key]
            self._spawn(self._end(receiver.outbox, key.namespace), f"end of outbox {receiver.outbox.name}")

    async def _end(self, outbox: Outbox, namespace: str) -> None:
        self._leaving.add(outbox)
        try:
            await outbox.close(CLOSE_SECONDS)
        finally:
            self._leaving.discard(outbox)
            if not any(each.namespace == namespace for each in self._receivers):
                self._slots.pop(namespace, None)

    async def _deliver(self, key: _ReceiverKey, message: Message) -> Response:
        async with self._slots.setdefault(key.namespace, asyncio.Semaphore(MAX_AT_ONCE)):
            endpoint = await self._endpoint(key)
            if isinstance(endpoint, Problem):
                self._note(key, endpoint)
                raise NoResponseError(str(endpoint))
            headers = dict(message.headers)
            if endpoint.signing is not None and key.type is ReceiverType.WEBHOOK:
                headers[SIGNATURE_HEADER] = signature(endpoint.signing, message.body)
            ready = replace(message, address=endpoint.address, headers=headers)
            try:
                response = await self._post(ready)
            except NoResponseError:
                # one text for all reasons: it must not tell a tenant which ports of a network are open
                silent = f"{endpoint.address} gave no answer."
                hint = (
                    f"Check the url in {key.where}, and the server's certificate. Nopea's log has the reason."
                )
                self._note(key, receiver_problem(silent, hint))
                raise
        self._note(key, _problem_of(response, endpoint.address, key))
        return response

    async def _endpoint(self, key: _ReceiverKey) -> Endpoint | Problem:
        client = self._client.on_behalf(f"notifications of {key.namespace}")
        try:
            async with asyncio.timeout(SECRET_SECONDS):
                live = await client.get(SECRETS.at(name=key.secret, namespace=key.namespace))
            raw: Mapping[str, Any] = live.json()
        except NotFoundError:
            hint = "Create it, or correct spec.notify."
            return receiver_problem(f"{key.where} does not exist.", hint)
        except ForbiddenError:
            hint = "Allow Nopea's service account to get it, or name another Secret."
            return receiver_problem(f"Nopea may not read {key.where}.", hint)
        except ApiError as error:
            raise NoResponseError(f"{key.where} cannot be read: {error}") from error
        except TimeoutError as error:
            raise NoResponseError(f"The API server did not return {key.where}") from error
        return parse_receiver(raw, type_=key.type, where=key.where, policy=self._policy)

    def _note(self, key: _ReceiverKey, problem: Problem | None) -> None:
        """Tell those who use a receiver once what stands in the way."""
        receiver = self._receivers.get(key)
        if receiver is None or problem == receiver.problem:
            return
        receiver.problem = problem
        if problem is not None:
            for repository in list(receiver.users.values())[:MAX_TOLD]:
                self._record(repository, problem)

    def _record(self, repository: Repository, problem: Problem) -> None:
        log.write(log_events.receiver_unusable, repo=repository.key, problem=str(problem))
        self._events.record(
            regarding(repository),
            type="Warning",
            reason="NotificationFailed",
            action="Notify",
            note=str(problem),
        )


def _key(namespace: str, receiver: NotifyReceiver) -> _ReceiverKey:
    return _ReceiverKey(namespace, receiver.type, receiver.secret_ref.name, receiver.kinds, receiver.severity)


def _problem_of(response: Response, address: ReceiverAddress, key: _ReceiverKey) -> Problem | None:
    """Return what a refusal means; None for what was accepted, and for a receiver that is only busy."""
    status = response.status
    if 200 <= status < 300 or status in (408, 425, 429):
        return None
    hint = f"Check the url in {key.where}, and that it is of type {key.type}."
    if 300 <= status < 400:
        hint = "Redirects are not followed: use the URL that it points to."
    return receiver_problem(f"{address} answered {status}.", hint)
