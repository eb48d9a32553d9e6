"""Bare mirrors on disk (child side): clone, fetch, clone again when damaged or grown; never a work tree.

A mirror appears under its path only when its first fetch is complete, and is replaced by renaming, so a
killed child leaves either the old one or the new one. The parent lets one writer at a time into a mirror.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pygit2

from nopea.core.git.source import Ref, RefKind
from nopea.core.problem import printable
from nopea.git.failure import GitFailure, storage
from nopea.git.folder import occupied, remove_leftovers
from nopea.git.protocol import TEMPORARY, ErrorKind
from nopea.git.ref import HEAD, RemoteRefs, find, similar
from nopea.git.remote import Conversation, Line, TooManyObjectsError, create_repository

_UNSHALLOW = 2147483647  # GIT_FETCH_DEPTH_UNSHALLOW
_EVERYTHING = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
_MESSAGE_LENGTH = 200
# A mirror's own HEAD stays as it was made: a HEAD without a branch is kept under this name.
_OURS = "refs/nopea/"
_HEAD_HERE = f"{_OURS}HEAD"


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorLimits:
    """When a mirror is cloned again, and how much history it may have."""

    max_packs: int
    max_objects: int
    max_bytes: int


def sync(
    path: Path, ref: Ref, line: Line, limits: MirrorLimits, *, again: bool, history: int = 0
) -> dict[str, Any]:
    """Bring the commit that the ref means into the mirror and return its facts.

    Asks the server for its refs first and fetches only a commit that is not there. `again` says that the
    mirror failed a reader, so it is cloned again whatever it looks like. `history` is how many commits a
    shallow mirror shall have.
    """
    with opened(path) as repository:
        kept = _refs(repository) if repository is not None else []
        if repository is not None and not again:
            found = _update(path, repository, ref, line, limits, history=history)
            if found is not None:
                return found
    return _clone(path, ref, line, limits, kept=kept)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[pygit2.Repository | None]:
    """Open a mirror, or give None where there is none that libgit2 can open.

    Frees it at the end: libgit2 shares open packs by path within the process, so one that an exception kept
    alive would stand in for the pack of a mirror that was cloned again.
    """
    try:
        repository = pygit2.Repository(str(path), pygit2.enums.RepositoryOpenFlag.BARE)
    except (pygit2.GitError, OSError):
        repository = None
    try:
        yield repository
    finally:
        if repository is not None:
            repository.free()


def resolve(conversation: Conversation, ref: Ref) -> str:
    """Ask the server and return the commit that the ref means; raises Failure when there is none."""
    return _choose(ref, _refs_of(conversation))[1]


def _refs_of(conversation: Conversation) -> RemoteRefs:
    refs = conversation.refs()
    if not refs.ids:
        raise GitFailure(ErrorKind.EMPTY, "the server lists no refs")
    return refs


def _choose(ref: Ref, refs: RemoteRefs) -> tuple[str, str]:
    """Return the full name and the commit; a commit has no name."""
    if ref.kind is RefKind.COMMIT:
        return "", ref.value
    try:
        found = find(ref, refs)
    except ValueError as error:
        raise GitFailure(ErrorKind.REF_MISSING, str(error), similar=[]) from error
    if found is None:
        raise GitFailure(ErrorKind.REF_MISSING, _no(ref), similar=similar(ref, refs.ids))
    return found


def _no(ref: Ref) -> str:
    return "HEAD points to no branch" if ref.kind is RefKind.HEAD else "no such ref"


def _update(
    path: Path, repository: pygit2.Repository, ref: Ref, line: Line, limits: MirrorLimits, *, history: int
) -> dict[str, Any] | None:
    """Fetch into a mirror what it lacks; None says that it has grown so much that a new clone is due."""
    if ref.kind is RefKind.COMMIT and has_commit(repository, ref.value):
        return facts(repository, ref.value, fetched=False)
    conversation = line.talk(repository)
    name, commit = _choose(ref, _refs_of(conversation))
    depth = max(history, 1) if repository.is_shallow else 0
    if has_commit(repository, commit) and depth <= 1:
        return facts(repository, commit, name=name, fetched=False)
    if _packs(path) >= limits.max_packs or occupied(path) > limits.max_bytes:
        return None
    remove_leftovers(path)
    if name:
        conversation.fetch([_refspec(name)], depth=depth)
    else:
        _fetch_commit(repository, conversation, commit, line=line)
    return _arrived(repository, name, commit)


def has_commit(repository: pygit2.Repository, commit: str) -> bool:
    """Say whether the commit and its tree are there and readable."""
    try:
        found = repository[commit]
    except (KeyError, ValueError):
        return False
    except pygit2.GitError as error:
        raise GitFailure(ErrorKind.MIRROR, str(error)) from error
    return isinstance(found, pygit2.Commit) and found.tree_id in repository.odb


def facts(repository: pygit2.Repository, commit: str, *, name: str = "", fetched: bool) -> dict[str, Any]:
    """Return what a Commit value needs; raises Failure when the mirror does not have it.

    `name` is the full name of the ref that it was found by.
    """
    with storage():
        found = repository[commit]
    if not isinstance(found, pygit2.Commit):
        raise GitFailure(ErrorKind.REF_MISSING, f"{commit} is not a commit", similar=[])
    author = f"{found.author.name} <{found.author.email}>"
    first = printable(found.message.strip().partition("\n")[0])
    return {
        "id": str(found.id),
        "author": printable(author.replace("\n", " "))[:_MESSAGE_LENGTH],
        "message": first[:_MESSAGE_LENGTH],
        "time": found.commit_time,
        "ref": "" if name == HEAD else name,
        "fetched": fetched,
    }


def _clone(path: Path, ref: Ref, line: Line, limits: MirrorLimits, *, kept: Sequence[str]) -> dict[str, Any]:
    """Clone beside the mirror's place and move it there; refs that the old mirror had come along."""
    new = _temporary(path)
    max_objects = 0 if line.address.local else limits.max_objects
    try:
        try:
            result = _clone_into(new, ref, line, kept=kept, max_objects=max_objects)
        except TooManyObjectsError:
            shutil.rmtree(new)
            result = _clone_into(new, ref, line, kept=kept, max_objects=0, depth=1)
        _replace(path, new)
    except GitFailure as failure:
        if failure.kind is ErrorKind.MIRROR:  # nothing of ours is in a new clone: what was sent is damaged
            raise GitFailure(ErrorKind.PROTOCOL, failure.message) from failure
        raise
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return result


def _clone_into(
    new: Path, ref: Ref, line: Line, *, kept: Sequence[str], max_objects: int, depth: int = 0
) -> dict[str, Any]:
    with storage():
        create_repository(new)
    with opened(new) as repository:
        if repository is None:
            raise GitFailure(ErrorKind.DISK, "a mirror that was just made cannot be opened")
        conversation = line.talk(repository)
        refs = _refs_of(conversation)
        name, commit = _choose(ref, refs)
        if name:
            names = sorted({name, *(other for other in kept if other in refs.ids)})
            conversation.fetch([_refspec(each) for each in names], depth=depth, max_objects=max_objects)
        else:
            _fetch_commit(repository, conversation, commit, line=line)
        return _arrived(repository, name, commit)


def _arrived(repository: pygit2.Repository, name: str, commit: str) -> dict[str, Any]:
    if has_commit(repository, commit):
        return facts(repository, commit, name=name, fetched=True)
    if name:  # the ref moved between the listing and the fetch; the next try sees the newer one
        raise GitFailure(ErrorKind.UNREACHABLE, f"{name} moved while it was fetched")
    raise GitFailure(ErrorKind.REF_MISSING, "no branch or tag of the repository contains it", similar=[])


def _refspec(name: str) -> str:
    return f"+{HEAD}:{_HEAD_HERE}" if name == HEAD else f"+{name}:{name}"


def _refs(repository: pygit2.Repository) -> list[str]:
    """Return the refs of a mirror that may be damaged: as many as can be read."""
    try:
        return [name for name in repository.references if not name.startswith(_OURS)]
    except pygit2.GitError:
        return []


def _fetch_commit(
    repository: pygit2.Repository, conversation: Conversation, commit: str, *, line: Line
) -> None:
    """Fetch one commit by its id; where the server does not serve ids, fetch everything it has."""
    if not line.address.local:
        try:
            conversation.fetch([f"+{commit}:refs/nopea/{commit}"])
        except GitFailure as failure:
            if failure.kind not in (
                ErrorKind.PROTOCOL,
                ErrorKind.UNREACHABLE,
                ErrorKind.MIRROR,
                ErrorKind.REF_MISSING,
            ):
                raise
        else:
            return
    depth = _UNSHALLOW if repository.is_shallow else 0
    line.talk(repository).fetch(_EVERYTHING, depth=depth)


def _temporary(path: Path) -> Path:
    """Return a place beside the mirror; the parent removes what a killed child left there by its pid."""
    return path.parent / f"{path.name}{TEMPORARY}{os.getpid()}-{uuid.uuid4().hex}"


def _replace(path: Path, new: Path) -> None:
    old = _temporary(path)
    with contextlib.suppress(FileNotFoundError):
        path.rename(old)
    new.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def _packs(path: Path) -> int:
    return sum(1 for _ in (path / "objects" / "pack").glob("*.pack"))
