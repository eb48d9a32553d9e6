"""What a status remembers of earlier syncs: the first failure in a row, the last deployment.

Pure. Decides what counts as a deployment, for the status and for CDEvents.
"""

from __future__ import annotations

from datetime import datetime
from itertools import takewhile

from nopea.core.api.status import GitRepositoryStatus
from nopea.core.api.times import format_time
from nopea.core.status.report import ReconcileReport, Result


def failing_since(previous: GitRepositoryStatus, report: ReconcileReport, now: datetime) -> str | None:
    """Return the time of the first failure in a row; None when the sync did not fail."""
    if report.result in (Result.SYNCED, Result.PLANNED):
        return None
    return previous.failing_since if previous.failures and previous.failing_since else format_time(now)


def last_deployment(previous: GitRepositoryStatus, report: ReconcileReport) -> str | None:
    """Return the id of the sync that last deployed a change: this one, if it applied a new commit in full.

    Applying the same commit again is not a deployment, and neither is a commit that changed nothing. Changes
    of syncs that failed half-way count for the sync that finished them.
    """
    if report.result is not Result.SYNCED or report.commit is None:
        return previous.last_deployment
    if report.commit.id == previous.last_applied_commit:
        return previous.last_deployment
    is_first = previous.last_applied_commit is None
    return report.id if is_first or report.changed or _changed_halfway(previous) else previous.last_deployment


def _changed_halfway(status: GitRepositoryStatus) -> bool:
    since = takewhile(lambda entry: entry.outcome != Result.SYNCED, status.history)
    return any(entry.created or entry.changed or entry.pruned for entry in since)
