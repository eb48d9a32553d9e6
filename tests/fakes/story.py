"""A repository's story, pass by pass, as signals are told it: each step starts from the status as stored.

Between any two steps the status goes through JSON, so every story is also one of restarts.
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
from nopea.core.status.report import ObjectResult, ReconcileReport, Result
from nopea.core.status.status import reported, with_health
from nopea.core.status.transition import Transition

HEALTHY = HealthSummary(status="True", reason="Healthy", message="all objects are healthy.")
PROGRESSING = HealthSummary(
    status="Unknown", reason="Progressing", message="apps/Deployment shop/web: rolling out"
)


def commit(digit: str, message: str = "Raise the replicas") -> Commit:
    """Return another commit for each digit."""
    return Commit(id=digit * 40, author=COMMIT.author, message=message, committed_at=NOW)


@dataclass(slots=True)
class Story:
    """A repository to which passes happen, a minute apart."""

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
        """Let a pass happen, and return how it is told."""
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
        """Let the health of the objects be looked at between two passes."""
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
