"""Transitions of a repository, one after another: drift, failures, recoveries and health."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.fakes.samples import NOW, problem, raw_repository, report, repository, result_of

from nopea.core.api import names
from nopea.core.api.repository import Repository, parse_repository
from nopea.core.api.status import GitRepositoryStatus
from nopea.core.drift.find import Drift, FieldDrift
from nopea.core.drift.three_way import DriftKind
from nopea.core.health.condition import HealthSummary
from nopea.core.objects import ObjectKey
from nopea.core.plan.model import ObservedDrift, Reason
from nopea.core.problem import Code
from nopea.core.status import status as views
from nopea.core.status.health import with_health
from nopea.core.status.report import ObjectResult, Outcome, ReconcileReport
from nopea.core.status.transition import Transition

EMPTY = GitRepositoryStatus()


class History:
    """A repository whose status is carried from step to step."""

    def __init__(self, **spec: Any) -> None:
        self.repository: Repository = repository(**spec)
        self.status = EMPTY
        self.now = NOW

    def did(self, done: ReconcileReport) -> Transition:
        """Return the transition of a sync."""
        return self._step(views.reported(self.status, done, now=self.now, retry_at=None), done)

    def healthy(self, status: str, message: str = "2 objects are healthy.") -> Transition:
        """Return the transition of a health check."""
        seen = HealthSummary(
            status=status, reason="Healthy" if status == "True" else "Unhealthy", message=message
        )
        return self._step(with_health(self.status, seen, generation=1, now=self.now), None)

    def rolled_back_to(self, commit: str) -> Transition:
        """Return the transition of a sync that pins the repository to a commit, or unpins it without one."""
        raw = raw_repository(annotations={names.ROLLBACK_ANNOTATION: commit} if commit else {})
        self.repository = parse_repository(raw)
        return self.did(synced(pin=self.repository.pin))

    def crashed(self) -> Transition:
        """Return the transition of a worker that keeps crashing."""
        why = problem(Code.WORKER_CRASHED, "The worker of this GitRepository keeps crashing: KeyError.")
        return self._step(views.crashed(self.status, problem=why, generation=1, now=self.now), None)

    def _step(self, after: GitRepositoryStatus, done: ReconcileReport | None) -> Transition:
        step = Transition(
            repository=self.repository, before=self.status, after=after, report=done, at=self.now
        )
        self.status = after
        return step


def edited(
    name: str = "web",
    *,
    path: str = ".data.greeting",
    from_: Any = "Welcome",
    to: Any = "Closed",
    manager: str = "kubectl-edit",
    user: str = "",
    reason: Reason = Reason.POLICY,
    key: ObjectKey | None = None,
) -> ObjectResult:
    """Return the result of an object with a manual change that was left as it is."""
    keys = tuple(f"f:{part}" for part in path.split(".") if part)
    field = FieldDrift(
        path=path, keys=keys, from_=from_, to=to, manager=manager, operation="Update", subresource="",
        changed_at=NOW, user=user,
    )  # fmt: skip
    seen = ObservedDrift(drift=Drift(kind=DriftKind.MANUAL_DRIFT, fields=(field,)), since=NOW)
    one = replace(result_of(name, Outcome.SKIPPED), reason=reason, seen=seen)
    return replace(one, key=key) if key else one


def synced(*objects: ObjectResult, **changes: Any) -> ReconcileReport:
    """Return the report of a successful sync."""
    return report(objects=objects or [result_of("web")], **changes)
