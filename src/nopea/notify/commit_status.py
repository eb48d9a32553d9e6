"""Sends the status of a commit back to the Git server that it came from.

A token is a repository's own, goes to that repository's server only, and never where it was refused before.
Decides neither when nor what: that is `core/notify/commit_status.py`'s and the rate limit's.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

from nopea import log_events
from nopea.core.api.spec import GitRepositorySpec, Provider
from nopea.core.git.source import Remote
from nopea.core.notify.address import InvalidAddressError, ReceiverAddress
from nopea.core.notify.commit_status import (
    CommitStatus,
    authorization,
    commit_status,
    provider_of,
    request_of,
    what_to_grant,
)
from nopea.core.notify.delivery import DeliveryPolicy
from nopea.core.objects import RepoKey
from nopea.core.status.transition import Transition
from nopea.logs import Log
from nopea.notify.message import Message, Post, Response
from nopea.notify.outbox import Outbox

log = Log(__name__)

MAX_HOSTS: Final = 32
MAX_REFUSED: Final = 10_000
POLICY: Final = DeliveryPolicy(most_messages=1000, life_seconds=900, mendable=frozenset(), gone_stops=False)
"""A status that is a quarter of an hour late helps nobody; many repositories share a host's queue."""

_NO_PROVIDER = "nobody says whose API the server speaks; name it in spec.webhook.provider"
_NO_TOKEN = "the repository's Secret has no token (or password) that the server's API could take"


@dataclass(frozen=True, slots=True, kw_only=True)
class _StatusMessage(Message):
    """A status on its way, and whose it is."""

    repository: RepoKey
    provider: Provider
    token: str
    """The digest of the credentials that it goes with."""


class CommitStatuses:
    """One queue for each server, so that one that is away holds up no other; `run` owns them all."""

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
        self._group: asyncio.TaskGroup | None = None
        self._closing = asyncio.Event()
        self._refused: OrderedDict[RepoKey, str] = OrderedDict()
        self._silent: OrderedDict[RepoKey, None] = OrderedDict()

    @property
    def outboxes(self) -> tuple[Outbox, ...]:
        """The queues of now, for counting."""
        return tuple(self._boxes.values())

    def status_of(self, step: Transition) -> CommitStatus | None:
        """Return what a step means for its commit, if anything; an unknown server is said once."""
        repository = step.repository
        if isinstance(repository.spec, GitRepositorySpec) and provider_of(repository.spec) is None:
            self._say_once(repository.key, _NO_PROVIDER)
            return None
        return commit_status(step)

    def send(self, status: CommitStatus) -> None:
        """Put a status on its way; one that cannot go is said once. Never blocks."""
        remote = self._remote_of(status.repository)
        if remote is None or remote.url != status.url:
            return  # the spec names another server by now: these are not its credentials
        token = remote.credentials.digest()
        if self._refused.get(status.repository) == token and token:
            return
        header = authorization(status, remote.credentials)
        if header is None:
            self._say_once(status.repository, _NO_TOKEN)
            return
        context = f"{self._context}/{status.repository}"
        request = request_of(status, context=context, target_url=self._target_url)
        try:
            address = replace(ReceiverAddress.parse(request.url), authorization=header)
        except InvalidAddressError as error:
            self._say_once(status.repository, str(error))
            return
        message = _StatusMessage(
            id=f"{status.repository} {status.commit} {status.state}",
            address=address,
            body=request.body,
            headers={"Content-Type": "application/json"},
            repository=status.repository,
            provider=status.provider,
            token=token,
        )
        self._box(urlsplit(request.url).netloc).offer(message)

    async def run(self) -> None:
        """Deliver until `close`. Run it once."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for box in self._boxes.values():
                group.create_task(box.run(), name=f"outbox {box.name}")
            await self._closing.wait()
            self._group = None

    async def close(self, seconds: float) -> None:
        """Take nothing more, deliver what waits for at most so long, and let `run` end."""
        self._closing.set()
        await asyncio.gather(*(box.close(seconds) for box in self._boxes.values()))

    def _box(self, host: str) -> Outbox:
        name = f"commit status {host}"
        if name not in self._boxes and len(self._boxes) >= MAX_HOSTS:
            name = "commit status others"
        if name not in self._boxes:
            self._boxes[name] = box = Outbox(name, self._post_and_look, policy=POLICY)
            if self._group is not None:
                self._group.create_task(box.run(), name=f"outbox {name}")
        return self._boxes[name]

    async def _post_and_look(self, message: Message) -> Response:
        answer = await self._post(message)
        if answer.status == 403 and answer.retry_after:
            return Response(status=429, retry_after=answer.retry_after)  # so GitHub says "not so fast"
        is_refusal = 400 <= answer.status < 500 and answer.status not in (408, 425, 429)
        if isinstance(message, _StatusMessage) and is_refusal:
            self._refuse(message, answer.status)
        return answer

    def _refuse(self, message: _StatusMessage, answer: int) -> None:
        """Say once for each token what it lacks; where it is the token, it is not shown there again."""
        if message.provider is Provider.GITLAB and answer == 400:
            self._say_once(message.repository, "GitLab refuses it: most likely it has this state already")
            return
        if answer in (401, 403, 404):
            self._refused[message.repository] = message.token
            self._refused.move_to_end(message.repository)
            if len(self._refused) > MAX_REFUSED:
                self._refused.popitem(last=False)
        elif not _first(self._silent, message.repository):
            return
        log.write(
            log_events.commit_status_refused,
            repo=message.repository,
            url=str(message.address),
            status=answer,
            hint=what_to_grant(message.provider, answer),
        )

    def _say_once(self, repository: RepoKey, why: str) -> None:
        if _first(self._silent, repository):
            log.write(log_events.commit_status_not_sent, repo=repository, why=why)


def _first(said: OrderedDict[RepoKey, None], repository: RepoKey) -> bool:
    """Whether it is the first time; remembers so many that no log is flooded."""
    if repository in said:
        return False
    said[repository] = None
    if len(said) > MAX_REFUSED:
        with contextlib.suppress(KeyError):
            said.popitem(last=False)
    return True
