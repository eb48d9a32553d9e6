"""Bare mirrors on disk (child side): clone, fetch, clone again when damaged or grown; never a work tree.

A mirror appears under its path only when its first fetch is complete, and is replaced by renaming, so a
killed child leaves either the old one or the new one. The parent lets one writer at a time into a mirror.
"""

from __future__ import annotations

import contextlib
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pygit2

from nopea.core.source import Ref, RefKind
from nopea.git.failure import Failure, storage
from nopea.git.protocol import Kind
from nopea.git.ref import find, similar
from nopea.git.remote import Conversation, Line, TooManyObjectsError, create_repository

TEMPORARY = ".new-"
_UNSHALLOW = 2147483647  # GIT_FETCH_DEPTH_UNSHALLOW
_EVERYTHING = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
_MESSAGE_LENGTH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a mirror is cloned again, and how much history it may have."""

    max_packs: int
    max_objects: int


def sync(path: Path, ref: Ref, line: Line, limits: Limits, *, again: bool) -> dict[str, Any]:
    """Bring the commit that the ref means into the mirror and return its facts.

    Asks the server for its refs first and fetches only a commit that is not there. `again` says that the
    mirror failed a reader, so it is cloned anew whatever it looks like.
    """
    repository = None if again else open_mirror(path)
    if repository is not None and ref.kind is RefKind.COMMIT and has_commit(repository, ref.value):
        return facts(repository, ref.value, fetched=False)
    if repository is None or _packs(path) >= limits.max_packs:
        return _clone(path, ref, line, limits)
    conversation = line.talk(repository)
    name, commit = choose(conversation, ref)
    if has_commit(repository, commit):
        return facts(repository, commit, fetched=False)
    depth = 1 if repository.is_shallow else 0
    _sweep(path)
    _fetch(repository, conversation, name=name, commit=commit, depth=depth, line=line)
    return facts(repository, commit, fetched=True)


def choose(conversation: Conversation, ref: Ref) -> tuple[str, str]:
    """Ask the server for its refs and return the wanted one's name and commit (no name for a commit)."""
    heads = conversation.heads()
    if not heads:
        raise Failure(Kind.EMPTY, "the server lists no refs")
    if ref.kind is RefKind.COMMIT:
        return "", ref.value
    try:
        found = find(ref, heads)
    except ValueError as error:
        raise Failure(Kind.REF_MISSING, str(error), similar=[]) from error
    if found is None:
        raise Failure(Kind.REF_MISSING, "no such ref", similar=similar(ref, heads))
    return found


def open_mirror(path: Path) -> pygit2.Repository | None:
    """Open a mirror, or return None where there is none that libgit2 can open."""
    try:
        return pygit2.Repository(str(path), pygit2.enums.RepositoryOpenFlag.BARE)
    except (pygit2.GitError, OSError):
        return None


def has_commit(repository: pygit2.Repository, commit: str) -> bool:
    """Say whether the commit and its tree are there and readable."""
    try:
        found = repository[commit]
    except (KeyError, ValueError):
        return False
    except pygit2.GitError as error:
        raise Failure(Kind.MIRROR, str(error)) from error
    return isinstance(found, pygit2.Commit) and found.tree_id in repository.odb


def facts(repository: pygit2.Repository, commit: str, *, fetched: bool) -> dict[str, Any]:
    """Return what a Commit value needs; raises Failure when the mirror does not have it."""
    with storage():
        found = repository[commit]
    if not isinstance(found, pygit2.Commit):
        raise Failure(Kind.REF_MISSING, f"{commit} is no commit", similar=[])
    first = found.message.strip().partition("\n")[0]
    return {
        "id": str(found.id),
        "author": f"{found.author.name} <{found.author.email}>"[:_MESSAGE_LENGTH],
        "message": first[:_MESSAGE_LENGTH],
        "time": found.commit_time,
        "fetched": fetched,
    }


def _clone(path: Path, ref: Ref, line: Line, limits: Limits) -> dict[str, Any]:
    """Clone beside the mirror's place and move it there."""
    new = path.parent / f"{path.name}{TEMPORARY}{uuid.uuid4().hex}"
    try:
        try:
            result = _clone_into(new, ref, line, max_objects=limits.max_objects)
        except TooManyObjectsError:
            shutil.rmtree(new)
            result = _clone_into(new, ref, line, max_objects=0, depth=1)
        _replace(path, new)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return result


def _clone_into(new: Path, ref: Ref, line: Line, *, max_objects: int, depth: int = 0) -> dict[str, Any]:
    with storage():
        repository = create_repository(str(new), redirects=not line.address.secret)
    conversation = line.talk(repository)
    name, commit = choose(conversation, ref)
    if line.address.local:
        max_objects = 0
    _fetch(
        repository, conversation, name=name, commit=commit, depth=depth, line=line, max_objects=max_objects
    )
    return facts(repository, commit, fetched=True)


def _fetch(
    repository: pygit2.Repository, conversation: Conversation, *, name: str, commit: str, depth: int,
    line: Line, max_objects: int = 0,
) -> None:  # fmt: skip
    if name:
        conversation.fetch([f"+{name}:{name}"], depth=depth, max_objects=max_objects)
    else:
        _fetch_commit(repository, conversation, commit, line=line)
    if not has_commit(repository, commit):
        if name:  # the ref moved between the listing and the fetch; the next pass sees the newer one
            raise Failure(Kind.UNREACHABLE, f"{name} moved while it was fetched")
        raise Failure(Kind.REF_MISSING, "no branch or tag of the repository contains it", similar=[])


def _fetch_commit(
    repository: pygit2.Repository, conversation: Conversation, commit: str, *, line: Line
) -> None:
    """Fetch one commit by its id; where the server does not serve ids, fetch everything it has."""
    if not line.address.local:
        try:
            conversation.fetch([f"+{commit}:refs/nopea/{commit}"])
        except Failure as failure:
            if failure.kind not in (Kind.PROTOCOL, Kind.UNREACHABLE, Kind.MIRROR, Kind.REF_MISSING):
                raise
        else:
            return
    depth = _UNSHALLOW if repository.is_shallow else 0
    line.talk(repository).fetch(_EVERYTHING, depth=depth)


def _replace(path: Path, new: Path) -> None:
    old = path.parent / f"{path.name}{TEMPORARY}{uuid.uuid4().hex}"
    with contextlib.suppress(FileNotFoundError):
        path.rename(old)
    new.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def _packs(path: Path) -> int:
    return sum(1 for _ in (path / "objects" / "pack").glob("*.pack"))


def _sweep(path: Path) -> None:
    """Remove what a killed fetch left; only one writer is in a mirror, so nothing of it is in use."""
    for entry in (path / "objects" / "pack").glob("pack_*"):
        entry.unlink(missing_ok=True)
