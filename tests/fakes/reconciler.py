"""Passes that a test scripts: how long each takes and how it ends; and what the worker asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.fakes.samples import report

from nopea.controller.worker import ReconcilePort
from nopea.core.api.repository import Repository
from nopea.core.status.report import ReconcileReport, Result
from nopea.core.trigger import Trigger
from nopea.reconcile.request import ReconcileRequest


@dataclass
class FakeReconciler:
    """Runs nothing: each pass takes `seconds` and ends with the next of `results`, then for ever as `last`.

    An exception among the results is raised, as a bug in a pass would. A pass notes when it was cancelled.
    """

    results: Iterable[Result | Exception] = ()
    last: Result = Result.SYNCED
    seconds: float = 1.0
    news: bool = False
    changed: bool = False
    is_unhealthy: bool = False
    requests: list[ReconcileRequest] = field(default_factory=list)
    started_at: list[float] = field(default_factory=list)
    asked_at: list[float] = field(default_factory=list)
    checked_at: list[float] = field(default_factory=list)
    running: int = 0
    most_running: int = 0
    cancelled: int = 0

    def __post_init__(self) -> None:
        self._results = iter(self.results)

    @property
    def triggers(self) -> list[frozenset[Trigger]]:
        """What woke each pass."""
        return [request.triggers for request in self.requests]

    async def run(self, request: ReconcileRequest) -> ReconcileReport:
        """Take the time, and end as scripted."""
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
        return report(result)

    def has_changed(self, repository: Repository) -> bool:
        """Answer `changed`."""
        del repository
        return self.changed

    async def follow_health(self, repository: Repository) -> bool:
        """Note the time and answer `is_unhealthy`."""
        del repository
        self.checked_at.append(asyncio.get_running_loop().time())
        return self.is_unhealthy

    async def has_new_commit(self, repository: Repository) -> bool:
        """Answer `news` at once."""
        del repository
        self.asked_at.append(asyncio.get_running_loop().time())
        return self.news


_: type[ReconcilePort] = FakeReconciler
