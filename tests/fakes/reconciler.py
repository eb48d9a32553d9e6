"""A reconciler whose syncs a test scripts: how long each takes and how it ends. It records its requests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from tests.fakes.samples import report

from nopea.controller.worker import ReconcilePort
from nopea.core.api.repository import Repository
from nopea.core.problem import Problem
from nopea.core.status.report import ReconcileReport, Result
from nopea.core.trigger import Trigger
from nopea.reconcile.request import ReconcileRequest


@dataclass
class FakeReconciler:
    """Does nothing: each sync takes `seconds` and ends with the next of `results`, later ones with `last`.

    An exception among the results is raised, like a bug in a sync. `cancelled` counts the cancelled syncs.
    """

    results: Iterable[Result | Exception] = ()
    last: Result = Result.SYNCED
    seconds: float = 1.0
    news: bool = False
    changed: bool = False
    is_unhealthy: bool = False
    problems: tuple[Problem, ...] = ()
    requests: list[ReconcileRequest] = field(default_factory=list)
    started_at: list[float] = field(default_factory=list)
    new_secrets: bool = False
    asked_at: list[float] = field(default_factory=list)
    secrets_read_at: list[float] = field(default_factory=list)
    checked_at: list[float] = field(default_factory=list)
    running: int = 0
    most_running: int = 0
    cancelled: int = 0

    def __post_init__(self) -> None:
        self._results = iter(self.results)

    @property
    def triggers(self) -> list[frozenset[Trigger]]:
        """The triggers of each sync."""
        return [request.triggers for request in self.requests]

    async def run(self, request: ReconcileRequest) -> ReconcileReport:
        """Wait for `seconds`, then return or raise the next result."""
        self.requests.append(request)
        self.started_at.append(asyncio.get_running_loop().time())
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
        result = next(self._results, self.last)
        if isinstance(result, Exception):
            raise result
        return replace(report(result), problems=self.problems)

    def has_changed(self, repository: Repository) -> bool:
        """Return `changed`."""
        del repository
        return self.changed

    async def follow_health(self, repository: Repository) -> bool:
        """Note the time and answer `is_unhealthy`."""
        del repository
        self.checked_at.append(asyncio.get_running_loop().time())
        return self.is_unhealthy

    async def has_new_commit(self, repository: Repository) -> bool:
        """Return `news` and record the time of the question."""
        del repository
        self.asked_at.append(asyncio.get_running_loop().time())
        return self.news

    async def has_new_secrets(self, repository: Repository) -> bool:
        """Return `new_secrets` and record the time of the question."""
        del repository
        self.secrets_read_at.append(asyncio.get_running_loop().time())
        return self.new_secrets


_: type[ReconcilePort] = FakeReconciler
