"""Merge two commits of a mirror (child side), without a work tree and without a ref to the result.

What is written are objects that nothing refers to. The same commits give the same objects, and a mirror that
has grown is cloned again.
"""

from __future__ import annotations

from typing import Any, Final

import pygit2
from pygit2.enums import MergeFlag

from nopea.git.failure import GitFailure, storage
from nopea.git.mirror import has_commit
from nopea.git.protocol import ErrorKind

MOST_MERGED_BYTES: Final = 8 * 1024 * 1024
"""Of the files that both sides changed: their lines are compared, and the result is written."""


def merge(repository: pygit2.Repository, onto: str, head: str) -> dict[str, Any]:
    """Merge `head` into `onto`, and return the `id` of a new commit, or of the one that has the other one.

    The id is empty where a person must decide, where there is no common history, and where both changed too
    much. `lacks_history` says that more of it may help. Renames are not followed. Raises GitFailure if a
    commit is not there.
    """
    for commit in (onto, head):
        if not has_commit(repository, commit):
            raise GitFailure(ErrorKind.MIRROR, f"the mirror lacks {commit}")
    with storage():
        base = repository.merge_base(onto, head)
        if base is None:
            return {"id": "", "lacks_history": repository.is_shallow}
        return {"id": _merged(repository, str(base), onto, head), "lacks_history": False}


def _merged(repository: pygit2.Repository, base: str, onto: str, head: str) -> str:
    if base in (onto, head):
        return head if base == onto else onto
    if _size_of_both(repository, base, onto, head) > MOST_MERGED_BYTES:
        return ""
    merged = repository.merge_trees(base, onto, head, flags=MergeFlag(0))
    if merged.conflicts is not None:
        return ""
    return str(_commit(repository, merged.write_tree(repository), onto, head))


def _size_of_both(repository: pygit2.Repository, base: str, onto: str, head: str) -> int:
    """Return the size of the files that both sides changed, as they were and as they are."""
    ours, theirs = (_changed(repository, base, side) for side in (onto, head))
    blobs = {blob for path in ours.keys() & theirs.keys() for blob in (*ours[path], *theirs[path])}
    return sum(_size(repository, blob) for blob in blobs)


def _changed(repository: pygit2.Repository, base: str, side: str) -> dict[bytes, tuple[str, str]]:
    """Return the ids before and after of each file that differs, by its path."""
    deltas = repository.diff(base, side).deltas
    return {each.old_file.raw_path: (str(each.old_file.id), str(each.new_file.id)) for each in deltas}


def _size(repository: pygit2.Repository, blob: str) -> int:
    try:
        return int(repository.odb.read_header(blob)[1])
    except KeyError:  # a file that one side lacks, or a submodule
        return 0


def _commit(repository: pygit2.Repository, tree: pygit2.Oid, onto: str, head: str) -> pygit2.Oid:
    latest = max(repository[each].commit_time for each in (onto, head))  # type: ignore[attr-defined]
    nopea = pygit2.Signature("Nopea", "nopea@localhost", latest, 0)
    return repository.create_commit(None, nopea, nopea, f"Merge {head} into {onto}", tree, [onto, head])
