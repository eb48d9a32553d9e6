"""A finished pass as lines for people, out of the status of its GitRepository."""

from __future__ import annotations

from collections.abc import Iterator

import click

from nopea.core.api.repository import Repository
from nopea.core.api.status import MAX_ERRORS, SHORT_COMMIT, GitRepositoryStatus, HistoryEntry, StatusError


def synced_lines(repository: Repository) -> Iterator[str]:
    """Yield what a pass that succeeded did: the commit, the counts, what drifted and was left."""
    status = repository.status
    took = f" in {status.last_sync_duration}" if status.last_sync_duration else ""
    head = f"GitRepository {repository.key} synced{took}: {counts_of(status)}"
    yield f"{click.style('✓', fg='green', bold=True)} {head}"
    yield f"  {commit_line(status)}"
    if repository.pin is not None:
        ends = f"`nopea rollback {repository.key.arguments} --resume`"
        yield f"  rolled back: {repository.pin.left} is not followed until {ends}"
    for drift in status.drifts:
        by = f"  by {drift.manager}" if drift.manager else ""
        yield f"  drifted: {drift.object}  {drift.action or 'left'}{by}"


def commit_line(status: GitRepositoryStatus) -> str:
    """Return the last commit that was looked at, with its message and its author."""
    author = (status.last_commit_author or "").partition(" <")[0]
    by = f", {author}" if author else ""
    return f"commit {status.last_attempted_commit or 'unknown'}  {status.last_commit_message or ''}{by}"


def counts_of(status: GitRepositoryStatus) -> str:
    """Return what there is and what the last pass of note did: `3 objects; 1 created, 2 pruned`."""
    number = status.resource_count or 0
    done = done_by(status.history[0]) if status.history else ""
    left = [
        f"{count} {what}"
        for count, what in (
            (status.drifted_count, "drifted and left"),
            (status.suspended_count, "protected from writes"),
        )
        if count
    ]
    return "; ".join([f"{number} object{'' if number == 1 else 's'}", done or "nothing to change", *left])


def done_by(entry: HistoryEntry) -> str:
    """Return what a pass did: `1 created, 2 failed`; empty if it did nothing."""
    counts = (
        (entry.created, "created"),
        (entry.changed, "changed"),
        (entry.pruned, "pruned"),
        (entry.failed, "failed"),
    )
    return ", ".join(f"{count} {what}" for count, what in counts if count)


def failed_line(repository: Repository) -> str:
    """Return the sentence about a pass that failed."""
    status = repository.status
    newest = status.history[0] if status.history else None
    at = f" at {newest.commit[:SHORT_COMMIT]}" if newest and newest.commit else ""
    if not at:
        return f"GitRepository {repository.key}: the pass failed before it knew a commit"
    number = status.resource_count or 0
    # what cannot be read is not counted: all of the rest may be right, and the pass has failed all the same
    read = f"{number} object{'' if number == 1 else 's'} that could be read"
    applied = f"{status.applied_count or 0} of the {read} {'is' if number == 1 else 'are'} as Git wants"
    done = done_by(newest) if newest else ""
    return f"GitRepository {repository.key}: the pass failed{at}: {applied}{f'; {done}' if done else ''}"


def error_words(error: StatusError) -> tuple[str, str]:
    """Return what is wrong with its code and place, and what to do."""
    where = " ".join(part for part in (error.source, error.object) if part)
    return f"{error.code}{f' {where}' if where else ''}: {error.message}", error.hint


def may_have_more(status: GitRepositoryStatus) -> bool:
    """True when the status holds as many errors as it can: there may be others."""
    return len(status.errors) >= MAX_ERRORS
