"""The syncs of a repository as transitions, one after another; each starts from the stored status.

Between two steps the status is written as JSON and read again, so each story also covers restarts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec
from tests.fakes.samples import COMMIT, NOW, report, repository

from nopea.core.api.repository import Repository
from nopea.core.api.status import GitRepositoryStatus
from nopea.core.git.source import Commit
from nopea.core.health.condition import HealthSummary
from nopea.core.problem import Problem
from nopea.core.status.health import with_health
from nopea.core.status.report import ObjectResult, ReconcileReport, Result
from nopea.core.status.status import reported
from nopea.core.status.transition import Transition

HEALTHY = HealthSummary(status="True", reason="Healthy", message="all objects are healthy.")
PROGRESSING = HealthSummary(
    status="Unknown", reason="Progressing", message="apps/Deployment shop/web: rolling out"
)


def commit(digit: str, message: str = "Raise the replicas") -> Commit:
    """Return a commit whose id consists of this digit."""
    return Commit(id=digit * 40, author=COMMIT.author, message=message, committed_at=NOW)


@dataclass(slots=True)
class Story:
    """A repository with syncs one minute apart."""

    repository: Repository = field(default_factory=repository)
    status: GitRepositoryStatus = field(default_factory=GitRepositoryStatus)
    now: datetime = NOW
    passes: int = 0
    told: list[Transition] = field(default_factory=list)

    def step(
        self,
        result: Result = Result.SYNCED,
        *,
        objects: Iterable[ObjectResult] = (),
        problems: Iterable[Problem] = (),
        at: Commit | None = COMMIT,
        health: HealthSummary | None = None,
        **changes: Any,
    ) -> Transition:
        """Finish a sync and return its transition."""
        self.passes += 1
        self.now += timedelta(minutes=1)
        done = report(
            result,
            objects=objects,
            problems=problems,
            commit=at,
            **{
                "id": f"01K{self.passes:023d}",
                "pin": self.repository.pin,
                "started_at": self.now - timedelta(seconds=1.5),
                **changes,
            },
        )
        after = self.status
        if result not in (Result.DELETED, Result.SUPERSEDED):
            after = reported(self.status, done, now=self.now, retry_at=None)
            if health is not None:
                after = with_health(after, health, generation=1, now=self.now)
        return self._told(after, done)

    def look(self, health: HealthSummary | None) -> Transition:
        """Check the health of the objects between two syncs and return the transition."""
        self.now += timedelta(minutes=1)
        return self._told(with_health(self.status, health, generation=1, now=self.now), None)

    def _told(self, after: GitRepositoryStatus, done: ReconcileReport | None) -> Transition:
        before, self.status = self.status, stored(after)
        step = Transition(
            repository=self.repository, before=before, after=self.status, report=done, at=self.now
        )
        self.told.append(step)
        return step


def stored(status: GitRepositoryStatus) -> GitRepositoryStatus:
    """Return the status as another process reads it."""
    return msgspec.json.decode(msgspec.json.encode(status), type=GitRepositoryStatus)
