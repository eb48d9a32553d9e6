"""Find the commit that a person means: the one before, or the one whose id starts like that. Pure.

Knows only what the status tells; whether Git has the commit is not asked here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from nopea.core.api.status import SHORT_COMMIT, GitRepositoryStatus, HistoryEntry
from nopea.core.status.report import Result
from nopea.core.trigger import Trigger

_FULL = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_PART = re.compile(rf"[0-9a-f]{{{SHORT_COMMIT},64}}")
_SHOWN = 80


class NoSuchCommitError(ValueError):
    """The commit to roll back to cannot be told; the text says why, `hint` what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def previous_commit(status: GitRepositoryStatus) -> str:
    """Return the commit to go back to when none is named; raises NoSuchCommitError.

    After a commit that could not be applied in full it is the last one that could; else the one that was
    applied before the current one. Going back twice goes on to older commits: what rollbacks applied is not
    counted among those.
    """
    current = status.last_applied_commit
    if current is None:
        raise NoSuchCommitError(
            "nothing was ever applied in full", "name a commit by its full id, or correct Git or the spec"
        )
    if status.last_attempted_commit not in (None, current):
        return current
    line = [entry.commit for entry in status.history if _is_own(entry)]
    # a commit that is in no such pass was named by a person: nobody can tell what came before it
    before = line[line.index(current) :] if current in line else []
    for commit in before:
        if commit != current:
            return commit
    raise NoSuchCommitError(
        f"its history names no commit that was applied before {current[:SHORT_COMMIT]}",
        f"it holds the last {len(status.history)} passes of note: name one of its commits, or an older one "
        "by its full id (`git log` lists them)",
    )


def _is_own(entry: HistoryEntry) -> bool:
    """True for a pass that applied in full what the spec named, not what a rollback did."""
    return entry.outcome == Result.SYNCED and bool(entry.commit) and not is_rollback(entry)


def is_rollback(entry: HistoryEntry) -> bool:
    """True when a pin decided which commit that pass applied."""
    return Trigger.ROLLBACK in entry.trigger.split(",")


def find_commit(text: str, status: GitRepositoryStatus) -> str:
    """Return the full id that a person means: a full one as it is, a shorter one out of what is known.

    Raises NoSuchCommitError.
    """
    wanted = text.strip().lower()
    if _FULL.fullmatch(wanted):
        return wanted
    if not _PART.fullmatch(wanted):
        raise NoSuchCommitError(
            f"{text[:_SHOWN]!r} is no commit id",
            f"give at least {SHORT_COMMIT} hexadecimal digits of one that `nopea history` lists, or all",
        )
    matching = [commit for commit in known_commits(status) if commit.startswith(wanted)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise NoSuchCommitError(f"{wanted} is the start of {' and of '.join(matching)}", "give more digits")
    raise NoSuchCommitError(
        f"no commit of its history starts with {wanted}",
        "`nopea history` lists those that can be shortened; any other commit needs its full id "
        f"(`git rev-parse {wanted}`)",
    )


def known_commits(status: GitRepositoryStatus) -> Sequence[str]:
    """Return the commits that the status names, newest first."""
    last = (status.last_applied_commit, status.last_attempted_commit)
    found = [entry.commit for entry in status.history] + [commit for commit in last if commit]
    return tuple(dict.fromkeys(commit for commit in found if commit))
