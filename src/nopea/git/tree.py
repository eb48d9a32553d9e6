"""Read a commit in a bare mirror (child side): list manifest files, read blobs, parse them.

Never follows a symlink or a submodule, never reads a work tree, writes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pygit2
from pygit2.enums import FileMode, ObjectType

from nopea.core.problem import Code
from nopea.git.failure import GitFailure, storage
from nopea.git.protocol import ANSWER_BYTES, ANSWER_SECONDS, ErrorKind

IGNORE_FILE = ".nopeaignore"
_SUFFIXES = (".yaml", ".yml", ".json")
_MAX_DEPTH = 64
_MAX_ENTRIES = 500_000
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
                ErrorKind.PATH_MISSING,
                f"there is no folder {missing}",
                at="/".join(parts[:index]),
                folders=names,
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
    """Yield every file, link and submodule under a tree, unordered; bounded in depth and number."""
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
    """Return contents by blob id until the answer is full or took long; `rest` are the ids for the next."""
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
    total, ends_at = 0, time.monotonic() + ANSWER_SECONDS
    for index, blob in enumerate(blobs):
        if total >= ANSWER_BYTES or (done and time.monotonic() > ends_at):
            return {"done": done, "rest": list(blobs[index:])}
        done[blob] = one(blob)
        total += size(done[blob])
    return {"done": done, "rest": []}


def _is_manifest(path: str) -> bool:
    name = path.rpartition("/")[2].lower()
    return name.endswith(_SUFFIXES) or name == IGNORE_FILE


def _tree(repository: pygit2.Repository, commit: str) -> pygit2.Tree:
    with storage():
        found = repository[commit]
    if not isinstance(found, pygit2.Commit):
        raise GitFailure(ErrorKind.REFUSED, f"{commit} is not a commit")
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
            raise GitFailure(ErrorKind.REFUSED, f"{blob} is not a file")
        content: bytes = repository.odb.read(blob)[1]
    return content


def ids(blobs: Iterable[str]) -> list[str]:
    """Return the blob ids once each, in order."""
    return list(dict.fromkeys(blobs))
