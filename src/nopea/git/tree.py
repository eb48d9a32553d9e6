"""Read a commit in a bare mirror (child side): list manifest files, read blobs, parse them, export a tree.

Never follows a symlink or a submodule, never reads a work tree, never writes outside the folder it is given.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pygit2
from pygit2.enums import FileMode, ObjectType

from nopea.core.problem import Code
from nopea.git.failure import GitFailure, storage
from nopea.git.protocol import ANSWER_BYTES, ErrorKind

IGNORE_FILE = ".nopeaignore"
_SUFFIXES = (".yaml", ".yml", ".json")
_MAX_DEPTH = 64
_MAX_ENTRIES = 500_000
_MAX_LINK = 4096
_SPLIT = "Split the file, or leave it out by spec.exclude or .nopeaignore."


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in a tree, by its path from the repository's root."""

    path: str
    blob: str
    mode: int


def folder(repository: pygit2.Repository, commit: str, subpath: str) -> tuple[str, pygit2.Tree]:
    """Return the clean path and the tree of a folder in a commit; raises Failure(PATH_MISSING)."""
    parts = [part for part in subpath.split("/") if part not in ("", ".")]
    tree = _tree(repository, commit)
    for index, part in enumerate(parts):
        with storage():
            found = tree[part] if part != ".." and part in tree else None
        if not isinstance(found, pygit2.Tree):
            names = sorted(entry.name or "" for entry in tree if entry.filemode == FileMode.TREE)[:20]
            missing = "/".join(parts[: index + 1])
            raise GitFailure(
                ErrorKind.PATH_MISSING, f"{missing} is no folder", at="/".join(parts[:index]), folders=names
            )
        tree = found
    return "/".join(parts), tree


def files(repository: pygit2.Repository, commit: str, subpath: str) -> dict[str, Any]:
    """List manifest and ignore files under a folder, sorted; links that look like one are `skipped`."""
    listed: list[tuple[str, str, int]] = []
    skipped: list[tuple[str, str]] = []
    for entry in walk(*folder(repository, commit, subpath)):
        if entry.mode == FileMode.COMMIT:
            skipped.append((entry.path, "submodule"))
        elif not _is_manifest(entry.path):
            continue
        elif entry.mode == FileMode.LINK:
            skipped.append((entry.path, "symlink"))
        else:
            with storage():
                listed.append((entry.path, entry.blob, repository.odb.read_header(entry.blob)[1]))
    return {"files": sorted(listed), "skipped": sorted(skipped)}


def walk(path: str, tree: pygit2.Tree) -> Iterator[Entry]:
    """Yield everything under a tree that is no folder, unordered; bounded in depth and number."""
    waiting: list[tuple[str, Any, int]] = [(path, tree, 0)]
    count = 0
    while waiting:
        path, tree, depth = waiting.pop()
        if depth > _MAX_DEPTH:
            raise GitFailure(ErrorKind.TOO_BIG, f"{path} is nested deeper than {_MAX_DEPTH} folders")
        for item in tree:
            count += 1
            if count > _MAX_ENTRIES:
                raise GitFailure(ErrorKind.TOO_BIG, f"more than {_MAX_ENTRIES} files in one folder tree")
            name = item.name or ""
            below = f"{path}/{name}" if path else name
            if item.filemode == FileMode.TREE:
                with storage():
                    waiting.append((below, tree[name], depth + 1))
            else:
                yield Entry(below, str(item.id), item.filemode)


def read(repository: pygit2.Repository, blobs: Sequence[str], *, max_bytes: int) -> dict[str, Any]:
    """Return contents by blob id until the answer is full; `rest` are the ids for the next one."""
    return _answer(blobs, lambda blob: _blob(repository, blob, max_bytes=max_bytes), size=len)


def manifests(
    repository: pygit2.Repository, blobs: Sequence[str], parse: Callable[[bytes], Any], *, max_bytes: int
) -> dict[str, Any]:
    """Return parsed files by blob id, in the same portions as `read`."""

    def parsed(blob: str) -> dict[str, Any]:
        try:
            content = _blob(repository, blob, max_bytes=max_bytes)
        except GitFailure as failure:
            if failure.kind is not ErrorKind.TOO_BIG:
                raise
            return {"documents": [], "problems": [(Code.YAML_LIMIT.value, failure.message, _SPLIT, "", "")]}
        found = parse(content)
        return {
            "documents": [(each.index, each.line, each.body) for each in found.documents],
            "problems": [
                (each.code.value, each.message, each.hint, each.source, each.object)
                for each in found.problems
            ],
        }

    def size(answer: dict[str, Any]) -> int:
        return 64 + sum(len(body) for _, _, body in answer["documents"]) + 256 * len(answer["problems"])

    return _answer(blobs, parsed, size=size)


def _answer(blobs: Sequence[str], one: Callable[[str], Any], *, size: Callable[[Any], int]) -> dict[str, Any]:
    done: dict[str, Any] = {}
    total = 0
    for index, blob in enumerate(blobs):
        if total >= ANSWER_BYTES:
            return {"done": done, "rest": list(blobs[index:])}
        done[blob] = one(blob)
        total += size(done[blob])
    return {"done": done, "rest": []}


def checkout(
    repository: pygit2.Repository, commit: str, subpath: str, into: Path, *, max_bytes: int
) -> dict[str, Any]:
    """Write a folder of a commit into an empty folder; returns the paths that were left out.

    Symlinks become copies of the file they lead to inside the folder; those that lead out of it, to a folder
    or to another link are left out, and so are submodules: what is written has no links to follow.
    """
    path, tree = folder(repository, commit, subpath)
    into.mkdir(parents=True, exist_ok=True)
    if any(into.iterdir()):
        raise GitFailure(ErrorKind.REFUSED, f"{into} is not empty")
    entries = list(walk("", tree))
    by_path = {
        entry.path: entry for entry in entries if entry.mode in (FileMode.BLOB, FileMode.BLOB_EXECUTABLE)
    }
    left_out, written = [], 0
    for entry in entries:
        source = (
            by_path.get(_target(repository, entry))
            if entry.mode == FileMode.LINK
            else by_path.get(entry.path)
        )
        if source is None or not _is_clean(entry.path):
            left_out.append(f"{path}/{entry.path}" if path else entry.path)
            continue
        content = _blob(repository, source.blob, max_bytes=max_bytes)
        written += len(content)
        if written > max_bytes:
            raise GitFailure(ErrorKind.TOO_BIG, f"more than {max_bytes} bytes in one folder")
        with storage():
            _write(into / entry.path, content, executable=source.mode == FileMode.BLOB_EXECUTABLE)
    return {"left_out": sorted(left_out)}


def _target(repository: pygit2.Repository, link: Entry) -> str:
    """Return the path inside the folder that a symlink names, or nothing when it leads out."""
    text = _blob(repository, link.blob, max_bytes=_MAX_LINK).decode(errors="replace")
    parts: list[str] = [] if text.startswith("/") else list(PurePosixPath(link.path).parent.parts)
    for part in text.split("/"):
        if part == "..":
            if not parts:
                return ""
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "" if text.startswith("/") else "/".join(parts)


def _is_clean(path: str) -> bool:
    """Git allows trees with any names; a hostile one holds `..` or a name with a zero byte."""
    return all(
        part not in ("", ".", "..") and part.lower() != ".git" and "\0" not in part
        for part in path.split("/")
    )


def _write(path: Path, content: bytes, *, executable: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o755 if executable else 0o644), "wb") as stream:
        stream.write(content)


def _is_manifest(path: str) -> bool:
    name = path.rpartition("/")[2].lower()
    return name.endswith(_SUFFIXES) or name == IGNORE_FILE


def _tree(repository: pygit2.Repository, commit: str) -> pygit2.Tree:
    with storage():
        found = repository[commit]
    if not isinstance(found, pygit2.Commit):
        raise GitFailure(ErrorKind.REFUSED, f"{commit} is no commit")
    with storage():
        return found.tree


def _blob(repository: pygit2.Repository, blob: str, *, max_bytes: int) -> bytes:
    with storage():
        kind, size = repository.odb.read_header(blob)
        if size > max_bytes:
            raise GitFailure(
                ErrorKind.TOO_BIG, f"a file of {size} bytes, the limit is {max_bytes}", blob=blob
            )
        if kind != ObjectType.BLOB:
            raise GitFailure(ErrorKind.REFUSED, f"{blob} is no file")
        content: bytes = repository.odb.read(blob)[1]
    return content


def ids(blobs: Iterable[str]) -> list[str]:
    """Return the blob ids once each, in order."""
    return list(dict.fromkeys(blobs))
