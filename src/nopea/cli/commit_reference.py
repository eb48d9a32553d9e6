"""Find the commit that a user means: the previous one, or one by the first digits of its id. Pure.

Uses only the status of the GitRepository; never asks whether Git has the commit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from nopea.core.api.entries import HistoryEntry
from nopea.core.api.status import GitRepositoryStatus
from nopea.core.git.source import SHORT_COMMIT
from nopea.core.trigger import Trigger

_FULL = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_PART = re.compile(rf"[0-9a-f]{{{SHORT_COMMIT},64}}")
_SHOWN = 80


class UnknownCommitError(ValueError):
    """The commit to roll back to is unknown or ambiguous; `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def previous_commit(status: GitRepositoryStatus) -> str:
    """Return the commit to roll back to when the user names none; raises UnknownCommitError.

    After a commit that could not be applied in full, that is the last one that was; otherwise the one that
    was applied before the current one. A second rollback goes to an older commit: commits that rollbacks
    applied do not count.
    """
    current = status.last_applied_commit
    if current is None:
        raise UnknownCommitError(
            "No commit was ever applied in full.",
            "Give a full commit id, or fix the manifests in Git or the spec.",
        )
    if status.last_attempted_commit not in (None, current):
        return current
    commits = [entry.commit for entry in status.revisions if entry.applied and not entry.rollback]
    # a current commit that is not in the list was named by a user: what came before it is unknown
    for commit in commits[commits.index(current) :] if current in commits else []:
        if commit != current:
            return commit
    raise UnknownCommitError(
        f"The history has no commit that was applied before {current[:SHORT_COMMIT]}.",
        "Give one of the commits that `nopea history` lists, or the full id of an older one from `git log`.",
    )


def is_rollback(entry: HistoryEntry) -> bool:
    """Return whether a rollback decided which commit the sync applied."""
    return Trigger.ROLLBACK in entry.trigger.split(",")


def find_commit(reference: str, status: GitRepositoryStatus) -> str:
    """Return the full id: a full reference unchanged, a shorter one completed from the status.

    Raises UnknownCommitError.
    """
    wanted = reference.strip().lower()
    if _FULL.fullmatch(wanted):
        return wanted
    if not _PART.fullmatch(wanted):
        raise UnknownCommitError(
            f"{reference[:_SHOWN]!r} is not a commit id.",
            f"Give a full id, or the first {SHORT_COMMIT} or more digits of one that `nopea history` lists.",
        )
    matching = [commit for commit in known_commits(status) if commit.startswith(wanted)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise UnknownCommitError(
            f"{wanted} is ambiguous: {' and '.join(matching)} start with it.", "Give more digits."
        )
    raise UnknownCommitError(
        f"No commit in its history starts with {wanted}.",
        "Only commits that `nopea history` lists can be shortened. "
        f"Give the full id of any other; `git rev-parse {wanted}` prints it.",
    )


def known_commits(status: GitRepositoryStatus) -> Sequence[str]:
    """Return the commits in the status, newest first, each once."""
    last = (status.last_applied_commit, status.last_attempted_commit)
    syncs = [entry.commit for entry in status.history]
    commits = [*syncs, *(entry.commit for entry in status.revisions), *last]
    return tuple(dict.fromkeys(commit for commit in commits if commit))
