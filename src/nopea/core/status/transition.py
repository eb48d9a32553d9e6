"""A transition of a repository from one status to the next. Everything that is sent out is a view of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from nopea.core.api.repository import Repository
from nopea.core.api.status import GitRepositoryStatus
from nopea.core.secret import Secret
from nopea.core.status.report import ReconcileReport, Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One transition, published after the API server has the new status.

    `report` is the reconciliation that caused it; None for a mere change of health or a crashed worker. After
    a superseded reconciliation, and after the last one of a repository, `after` equals `before`: no status
    was written. Reconciliations that changed nothing are published as well; `is_reportable` tells them apart.
    """

    repository: Repository
    before: GitRepositoryStatus
    after: GitRepositoryStatus
    report: ReconcileReport | None
    at: datetime
    hidden: tuple[Secret, ...] = field(default=(), repr=False)
    """The known credentials of the repository; no text about the transition may show them."""

    @property
    def is_reportable(self) -> bool:
        """True when it is worth a notification: the history has it, or the repository is gone."""
        if self.report is None:
            return self.before.conditions != self.after.conditions
        return (
            self.report.result is Result.DELETED
            or self.report.changed
            or self.before.history[:1] != self.after.history[:1]
        )

    @property
    def is_first_sync(self) -> bool:
        """True when the repository's objects were applied in full for the first time."""
        return self.before.last_applied_commit is None and self.after.last_applied_commit is not None

    @property
    def is_recovery(self) -> bool:
        """True when a sync succeeded after one or more failures."""
        return self.before.failures > 0 and self.after.failures == 0
