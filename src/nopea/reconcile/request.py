"""What a worker passes to a sync, and how a running sync finds out that it must start over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from nopea.core.api.repository import Repository
from nopea.core.api.tenancy import LEAST, TenancyPolicy
from nopea.core.problem import Code, Remedy, SyncError
from nopea.core.status.report import ReconcileReport
from nopea.core.trigger import INTERRUPTING, MAY_MEAN_NEW_COMMIT, Trigger
from nopea.informers.object_cache import ObjectCache
from nopea.kube.client import KubeClient
from nopea.kube.discovery import Discovery
from nopea.reconcile.fetch import Fetcher
from nopea.state.ownership import Ownership
from nopea.state.repositories import RepositoryStore
from nopea.state.user_record import UserRecord, nobody


def _wake_nobody(owner: str) -> None:
    del owner


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileContext:
    """What every sync needs: clients and the process's memory."""

    client: KubeClient
    discovery: Discovery
    fetcher: Fetcher
    object_cache: ObjectCache
    repositories: RepositoryStore
    ownership: Ownership
    policy: TenancyPolicy = LEAST
    namespace: str = ""
    """Nopea's own."""
    users: UserRecord = field(default_factory=nobody)
    flow: str = ""
    """Whose requests they queue as; empty for the repository's own, as a sync does."""
    wake: Callable[[str], None] = _wake_nobody
    """Wakes the worker of the repository that a label value names. A command has no workers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileRequest:
    """One sync: which version of the object, why, what came in since, and when a failure is retried."""

    repository: Repository
    triggers: frozenset[Trigger]
    pending: Callable[[], frozenset[Trigger]]
    retry_seconds: float
    slow_retry_seconds: float = 0.0
    """The wait where more retries help nobody: for a push, or at a server that limits their rate."""
    stalled_retry_seconds: float = 0.0
    """The wait where only a change of settings helps."""

    def retry_in(self, report: ReconcileReport) -> float:
        """Return the wait after a report of a failure: longer where a retry mends nothing."""
        asked = max((problem.retry_after_seconds for problem in report.problems), default=0.0)
        return max(self.retry_seconds, self._least_wait(report), asked)

    def _least_wait(self, report: ReconcileReport) -> float:
        remedies = {problem.remedy for problem in report.problems}
        if Code.GIT_RATE_LIMITED in report.codes:
            return self.slow_retry_seconds
        if not report.is_published or not remedies or Remedy.TIME in remedies:
            return 0.0
        return self.slow_retry_seconds if Remedy.COMMIT in remedies else self.stalled_retry_seconds


class Supersede:
    """Checks between two objects whether a newer commit or spec is known, which then replaces this one.

    Git is asked at most once per sync, and only after something came in that may mean a new commit.
    """

    def __init__(
        self, pending: Callable[[], frozenset[Trigger]], newest: Callable[[], Awaitable[str]], *, commit: str
    ) -> None:
        self._pending = pending
        self._newest = newest
        self._commit = commit
        self._asked = False
        self._decided = False

    async def now(self) -> bool:
        """Return True when the sync should stop before its next object; once True, it stays True."""
        if self._decided:
            return True
        pending = self._pending()
        if pending & INTERRUPTING:
            self._decided = True
        elif pending & MAY_MEAN_NEW_COMMIT and not self._asked:
            self._asked = True
            try:
                self._decided = await self._newest() != self._commit
            except SyncError:
                return False  # the next sync asks again and reports it
        return self._decided
