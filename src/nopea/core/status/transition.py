"""How a repository came from one status to the next: what every signal to the outside is a view of."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from nopea.core.api.repository import Repository
from nopea.core.api.status import GitRepositoryStatus, Phase
from nopea.core.secret import Secret
from nopea.core.status.report import ReconcileReport, Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One step of a repository, told after the API server has the new status.

    `report` is the pass that made it; None when only health was looked at, or the worker crashes. Of a pass
    that was superseded, or that ended the repository, `after` is `before`: nobody wrote a status of it.
    Passes that changed and learned nothing are told too; `is_news` says which are not.
    """

    repository: Repository
    before: GitRepositoryStatus
    after: GitRepositoryStatus
    report: ReconcileReport | None
    at: datetime
    hidden: tuple[Secret, ...] = field(default=(), repr=False)
    """Credentials of the repository, as far as they are known: no text about the step may show them."""

    @property
    def is_news(self) -> bool:
        """True when somebody could want to hear of it: the history has it, or the repository is gone."""
        if self.report is None:
            return self.before.conditions != self.after.conditions
        return (
            self.report.result is Result.DELETED
            or self.report.changed
            or self.before.history[:1] != self.after.history[:1]
        )

    @property
    def is_first_sync(self) -> bool:
        """True when the repository's objects were applied in full for the first time ever."""
        return self.before.last_applied_commit is None and self.after.last_applied_commit is not None

    @property
    def is_recovery(self) -> bool:
        """True when a pass succeeded after one or more that failed."""
        return self.before.failures > 0 and self.after.failures == 0 and self.after.phase is Phase.SYNCED
