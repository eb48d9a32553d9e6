"""What a status remembers of earlier passes, so that later ones can name them: failures, a deployment.

Pure; decides what counts as a deployment, for status and CDEvents alike.
"""

from __future__ import annotations

from datetime import datetime
from itertools import takewhile

from nopea.core.api.conditions import format_time
from nopea.core.api.status import GitRepositoryStatus
from nopea.core.status.report import ReconcileReport, Result


def failing_since(previous: GitRepositoryStatus, report: ReconcileReport, now: datetime) -> str | None:
    """Return when the first of the failures in a row was; None when the pass did not fail."""
    if report.result is Result.SYNCED:
        return None
    return previous.failing_since if previous.failures and previous.failing_since else format_time(now)


def last_deployment(previous: GitRepositoryStatus, report: ReconcileReport) -> str | None:
    """Return the pass that last brought a change from Git: this one, if it applied another commit in full.

    Applying a commit again is none, and so is a commit that changed nothing, else people would count
    deployments that were none. What passes that failed half-way changed counts for the one that finished it.
    """
    if report.result is not Result.SYNCED or report.commit is None:
        return previous.last_deployment
    if report.commit.id == previous.last_applied_commit:
        return previous.last_deployment
    is_first = previous.last_applied_commit is None
    return report.id if is_first or report.changed or _changed_halfway(previous) else previous.last_deployment


def _changed_halfway(status: GitRepositoryStatus) -> bool:
    since = takewhile(lambda one: one.outcome != Result.SYNCED, status.history)
    return any(one.created or one.changed or one.pruned for one in since)
