"""The last revisions of a GitRepository: which commits were applied, what they changed, what was reverted.

Pure. Unlike the history of syncs, it does not forget a deployment because of the retries and checks after it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from nopea.core.api.entries import MAX_REVERTED, RevisionEntry
from nopea.core.api.status import MAX_REVISIONS
from nopea.core.api.times import format_time
from nopea.core.drift.find import who
from nopea.core.git.source import Commit
from nopea.core.status.report import ObjectResult, Outcome, ReconcileReport, Result

_FIELDS_NAMED = 3


def revisions_after(
    previous: tuple[RevisionEntry, ...], report: ReconcileReport, *, now: datetime
) -> tuple[RevisionEntry, ...]:
    """Return the revisions after a sync, newest first; equal to the previous ones if it changed nothing.

    A commit that is applied again after another one, such as by a rollback, has an entry of its own.
    """
    commit = report.commit
    if commit is None or report.read_only or report.result not in (Result.SYNCED, Result.FAILED):
        return previous
    newest, *older = previous or (_entry(commit, report),)
    if (newest.commit, newest.rollback) != (commit.id, report.pin is not None):
        newest, older = _entry(commit, report), list(previous)
    # that Git fails, or that it waits for another, says nothing about the commit
    is_applied = all(problem.code.is_of_source or problem.code.is_waiting for problem in report.problems)
    newest = msgspec.structs.replace(
        newest,
        applied=newest.applied or (format_time(now) if is_applied else None),
        created=newest.created + _count(report, Outcome.CREATED),
        changed=newest.changed + _count(report, Outcome.CONFIGURED),
        pruned=newest.pruned + report.count(Outcome.PRUNED),
        failed=report.count(Outcome.FAILED),
        reverted=(*newest.reverted, *_reverted(report.objects))[-MAX_REVERTED:],
    )
    return (newest, *older)[:MAX_REVISIONS]


def _count(report: ReconcileReport, outcome: Outcome) -> int:
    """Count what the commit changed; what was reverted is told by `reverted`."""
    return sum(result.outcome is outcome and not result.healed for result in report.objects)


def _entry(commit: Commit, report: ReconcileReport) -> RevisionEntry:
    return RevisionEntry(
        commit=commit.id,
        message=commit.message[:200],
        author=commit.author[:256],
        time=format_time(commit.committed_at),
        rollback=report.pin is not None,
    )


def _reverted(objects: Iterable[ObjectResult]) -> list[str]:
    """Describe each change that was reverted: object, fields without their values, and manager."""
    lines = []
    for result in objects:
        if not result.healed or result.seen is None:
            continue
        drift = result.seen.drift
        paths = [field.path for field in drift.fields if field.keys]
        more = f" and {len(paths) - _FIELDS_NAMED} more" if len(paths) > _FIELDS_NAMED else ""
        what = f"{', '.join(paths[:_FIELDS_NAMED])}{more}" if paths else "deleted"
        owner = drift.attributed
        by = f", by {who(owner.manager, owner.user)}" if owner is not None else ""
        lines.append(f"{result.key}: {what}{by}"[:512])
    return lines
