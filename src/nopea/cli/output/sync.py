"""Format the result of a sync as lines, from the status of its GitRepository."""

from __future__ import annotations

from collections.abc import Iterator

import click

from nopea.cli.output.messages import as_called
from nopea.core.api.conditions import HEALTHY, find
from nopea.core.api.repository import Repository
from nopea.core.api.status import MAX_ERRORS, GitRepositoryStatus
from nopea.core.drift.find import who
from nopea.core.git.source import SHORT_COMMIT
from nopea.core.show.words import count
from nopea.core.status.timeline import changes_of


def synced_lines(repository: Repository) -> Iterator[str]:
    """Yield the lines of a successful sync: the counts, the commit, what is unhealthy or was left."""
    status = repository.status
    took = f" in {status.history[0].duration}" if status.history else ""
    head = f"GitRepository {repository.key} synced{took}: {counts_of(status)}"
    yield f"{click.style('✓', fg='green', bold=True)} {head}"
    yield f"  {commit_line(status)}"
    if repository.pin is not None:
        ends = f"`nopea rollback {repository.key.arguments} --resume`"
        yield as_called(f"  rolled back: {repository.pin.left} is not followed until {ends}")
    health = find(status.conditions, HEALTHY)
    if health is not None and health.status != "True":
        yield f"  {'unhealthy' if health.status == 'False' else 'not healthy yet'}: {health.message}"
    for drift in status.drifts:
        by = f"  by {whom}" if (whom := who(drift.manager, drift.user)) else ""
        yield f"  drifted: {drift.object}  {drift.action or 'left'}{by}"


def commit_line(status: GitRepositoryStatus) -> str:
    """Return the last attempted commit with its message and author."""
    author = (status.last_commit_author or "").partition(" <")[0]
    by = f", {author}" if author else ""
    return f"commit {status.last_attempted_commit or 'unknown'}  {status.last_commit_message or ''}{by}"


def counts_of(status: GitRepositoryStatus) -> str:
    """Return the number of objects and the changes of the last sync: `3 objects; 1 created, 2 pruned`."""
    changes = changes_of(status.history[0]) if status.history else ""
    left = [
        f"{number} {what}"
        for number, what in (
            (status.drifted_count, "drifted"),
            (status.suspended_count, "suspended"),
        )
        if number
    ]
    objects = count(status.resource_count or 0, "object")
    return "; ".join([objects, changes or "nothing to change", *left])


def failed_line(repository: Repository) -> str:
    """Return the sentence about a sync that failed."""
    status = repository.status
    newest = status.history[0] if status.history else None
    if newest is None or not newest.commit:
        return f"GitRepository {repository.key}: the sync failed before it read a commit."
    # documents that cannot be parsed are not counted: all parsed objects may be in sync although it failed
    parsed = status.resource_count or 0
    in_sync = f"{status.in_sync_count or 0} of {count(parsed, 'object')} in sync"
    changes = changes_of(newest)
    return (
        f"GitRepository {repository.key}: the sync of {newest.commit[:SHORT_COMMIT]} failed. "
        f"{in_sync}{f'; {changes}' if changes else ''}."
    )


def may_have_more(status: GitRepositoryStatus) -> bool:
    """Return whether the status lists as many errors as it can hold, so that there may be more."""
    return len(status.errors) >= MAX_ERRORS
