"""Wait until a new GitRepository is applied and its objects are healthy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from nopea.cli.heartbeat import why_dead
from nopea.cli.repository import read_repository
from nopea.core.api.conditions import HEALTHY, READY, find
from nopea.core.api.repository import Repository
from nopea.core.drift.mask import plain_line
from nopea.core.health.rules import HealthStatus
from nopea.core.objects import RepoKey
from nopea.core.problem import Code
from nopea.core.show.words import count
from nopea.core.status.read_only import is_read_only
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiError

POLL_SECONDS = 0.3
QUIET_SECONDS = 10.0
"""After this time without a sign of the controller, its heartbeat is looked at."""

Show = Callable[[str], None]


class Arrival:
    """Follows one new GitRepository; `repository` is the last version that was read."""

    def __init__(self, client: KubeClient, key: RepoKey) -> None:
        self._client = client
        self._key = key
        self.repository: Repository | None = None

    async def wait(self, *, seconds: float, show: Show) -> str:
        """Return why it has not arrived, empty when it is applied and healthy. Raises CommandError, ApiError.

        It ends early when somebody must act: waiting does not mend an error that is not transient.
        """
        loop = asyncio.get_running_loop()
        started = loop.time()
        state = "The controller has not looked at it yet."
        try:
            async with asyncio.timeout(seconds):
                while True:
                    try:
                        self.repository = await read_repository(self._client, self._key)
                    except ApiError as error:
                        if not error.retryable:
                            raise
                        state = f"The API server does not answer: {error}"
                    else:
                        state, ends = self._state(self.repository)
                        if ends:
                            return state
                    if not self._is_seen and loop.time() - started > QUIET_SECONDS:
                        state = await why_dead(self._client, self._key.namespace) or state
                    show(state)
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            return state

    @property
    def _is_seen(self) -> bool:
        return self.repository is not None and bool(self.repository.status.conditions)

    def _state(self, repository: Repository) -> tuple[str, bool]:
        """Return what it waits for, and whether that is the end; an empty text is success."""
        status = repository.status
        ready = find(status.conditions, READY)
        if ready is None:
            return "The controller has not looked at it yet.", False
        if status.errors:
            codes = {error.code for error in status.errors}
            waits = all(code in {*Code} and (Code(code).transient or Code(code).is_waiting) for code in codes)
            return plain_line(status.errors[0].message, limit=500), not waits
        if is_read_only(status.conditions):
            return plain_line(ready.message, limit=500), True
        if not _is_applied(repository):
            return "It is being applied.", False
        health = find(status.conditions, HEALTHY)
        if health is None or health.status == "True":
            return "", True
        is_failed = status.health is not None and status.health.status == HealthStatus.FAILED
        return plain_line(health.message, limit=500), is_failed

    def line(self, *, after: str) -> str:
        """Return the success, in one line."""
        number = self.repository.status.resource_count if self.repository is not None else None
        return f"Applied {count(number or 0, 'object')}, all healthy after {after}."


def _is_applied(repository: Repository) -> bool:
    return repository.status.last_applied_commit is not None and not repository.status.errors
