"""Sends the status of a commit to the Git server that it came from.

A token is sent to the server of its own repository only, and never again once it was refused there.
`core/notify/commit_status.py` decides what is sent, the rate limit when.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

from cachetools import LRUCache

from nopea import log_events
from nopea.core.api.spec import GitRepositorySpec, Provider
from nopea.core.forge.project import REFUSALS, authorization, provider_of
from nopea.core.git.source import Remote
from nopea.core.notify.address import InvalidAddressError, ReceiverAddress
from nopea.core.notify.commit_status import (
    CommitStatus,
    commit_status,
    request_of,
    what_to_grant,
)
from nopea.core.notify.delivery import DeliveryPolicy
from nopea.core.objects import RepoKey
from nopea.core.status.transition import Transition
from nopea.logs import Log
from nopea.notify.http import Message, Post, Response
from nopea.notify.outbox import Outbox

log = Log(__name__)

MAX_HOSTS: Final = 32
MAX_HOSTS_OF_NAMESPACE: Final = 8
"""Servers that get a queue of their own because of one namespace; all others share one."""

MAX_REFUSED: Final = 10_000
POLICY: Final = DeliveryPolicy(
    most_messages=1000, life_seconds=900, correctable=frozenset(), gone_stops=False
)
"""A status is useless after a quarter of an hour; many repositories share the queue of a host."""

POLICY_OF_OTHERS: Final = replace(POLICY, retry_after_most_seconds=10)
"""Hosts that share a queue must not pause each other."""

_NO_PROVIDER = "the API of the server is unknown; set spec.webhook.provider"
_NO_TOKEN = "the repository's Secret has no token or password for the server's API"


@dataclass(frozen=True, slots=True, kw_only=True)
class _StatusMessage(Message):
    """A status with what is needed to handle a refusal."""

    repository: RepoKey
    provider: Provider
    token: str
    """The digest of the credentials that authorize it."""


class CommitStatuses:
    """One queue for each server, so that one that is down delays no other; `run` owns them all."""

    def __init__(
        self,
        post: Post,
        *,
        remote_of: Callable[[RepoKey], Remote | None],
        context: str = "nopea",
        target_url: str = "",
    ) -> None:
        self._post = post
        self._remote_of = remote_of
        self._context = context
        self._target_url = target_url
        self._boxes: dict[str, Outbox] = {}
        self._opened: Counter[str] = Counter()
        self._group: asyncio.TaskGroup | None = None
        self._closing = asyncio.Event()
        self._refused: LRUCache[RepoKey, str] = LRUCache(MAX_REFUSED)
        self._logged: LRUCache[RepoKey, None] = LRUCache(MAX_REFUSED)

    @property
    def outboxes(self) -> tuple[Outbox, ...]:
        """The current queues, for the metrics."""
        return tuple(self._boxes.values())

    def status_of(self, transition: Transition) -> CommitStatus | None:
        """Return the commit status of a transition, if any; an unknown server is logged once."""
        repository = transition.repository
        if isinstance(repository.spec, GitRepositorySpec) and provider_of(repository.spec) is None:
            self._log_once(repository.key, _NO_PROVIDER)
            return None
        return commit_status(transition)

    def send(self, status: CommitStatus) -> None:
        """Queue a status; one that cannot be sent is logged once. Never blocks."""
        remote = self._remote_of(status.repository)
        if remote is None or remote.url != status.project.url:
            return  # the spec has another URL by now: these are not its credentials
        token = remote.credentials.digest()
        if self._refused.get(status.repository) == token and token:
            return
        header = authorization(status.project, remote.credentials)
        if header is None:
            self._log_once(status.repository, _NO_TOKEN)
            return
        context = f"{self._context}/{status.repository}"
        request = request_of(status, context=context, target_url=self._target_url)
        try:
            address = replace(ReceiverAddress.parse(request.url), authorization=header)
        except InvalidAddressError as error:
            self._log_once(status.repository, str(error))
            return
        message = _StatusMessage(
            id=f"{status.repository} {status.commit} {status.state}",
            namespace=status.namespace,
            address=address,
            body=request.body,
            headers={"Content-Type": "application/json"},
            repository=status.repository,
            provider=status.project.provider,
            token=token,
        )
        self._box(urlsplit(request.url).netloc, status.namespace).offer(message)

    async def run(self) -> None:
        """Deliver until `close`. Run it once."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for box in self._boxes.values():
                group.create_task(box.run(), name=f"outbox {box.name}")
            await self._closing.wait()
            self._group = None

    async def close(self, seconds: float) -> None:
        """Deliver the queued statuses within `seconds`, and let `run` end."""
        self._closing.set()
        await asyncio.gather(*(box.close(seconds) for box in self._boxes.values()))

    def _box(self, host: str, namespace: str) -> Outbox:
        name, policy = f"commit status {host}", POLICY
        is_full = len(self._boxes) >= MAX_HOSTS or self._opened[namespace] >= MAX_HOSTS_OF_NAMESPACE
        if name not in self._boxes and is_full:
            name, policy = "commit status others", POLICY_OF_OTHERS
        if name not in self._boxes:
            self._opened[namespace] += 1
            self._boxes[name] = box = Outbox(name, self._post_and_record_refusal, policy=policy)
            if self._group is not None:
                self._group.create_task(box.run(), name=f"outbox {name}")
        return self._boxes[name]

    async def _post_and_record_refusal(self, message: Message) -> Response:
        response = await self._post(message)
        if response.status == 403 and response.retry_after:
            return Response(status=429, retry_after=response.retry_after)  # GitHub's rate limit
        is_refusal = 400 <= response.status < 500 and response.status not in (408, 425, 429)
        if isinstance(message, _StatusMessage) and is_refusal:
            self._handle_refusal(message, response.status)
        return response

    def _handle_refusal(self, message: _StatusMessage, status: int) -> None:
        """Log once for each token what to grant; a refused token is not sent there again."""
        if message.provider is Provider.GITLAB and status == 400:
            self._log_once(
                message.repository, "GitLab refuses it, most likely because the commit already has this state"
            )
            return
        if status in REFUSALS:
            self._refused[message.repository] = message.token
        elif not self._is_first(message.repository):
            return
        log.write(
            log_events.commit_status_refused,
            repo=message.repository,
            url=str(message.address),
            status=status,
            hint=what_to_grant(message.provider, status),
        )

    def _log_once(self, repository: RepoKey, why: str) -> None:
        if self._is_first(repository):
            log.write(log_events.commit_status_not_sent, repo=repository, why=why)

    def _is_first(self, repository: RepoKey) -> bool:
        is_first = repository not in self._logged
        self._logged[repository] = None
        return is_first
