"""Read a commit in a bare mirror (child side): list files, read blobs, parse them.

Follows links within the commit, never a submodule; never reads a work tree, writes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pygit2
from pygit2.enums import FileMode, ObjectType

from nopea.core.git.source import Skipped, SkipReason
from nopea.core.manifests.file_names import IGNORE_FILE, is_listed, is_manifest_name
from nopea.core.problem import Code
from nopea.git.failure import GitFailure, storage
from nopea.git.links import BrokenLinkError, Folder, Links, resolve
from nopea.git.protocol import ANSWER_BYTES, ANSWER_SECONDS, ErrorKind

_MAX_DEPTH = 64
_MAX_ENTRIES = 500_000
_SPLIT = "Split the file, or leave it out by spec.exclude or .nopeaignore."


@dataclass(frozen=True, slots=True)
class _Place:
    """A folder that is walked: the path that led to it, and the real folders whose links did."""

    path: str
    folder: Folder
    depth: int = 0
    linked_from: tuple[Folder, ...] = ()

    def path_of(self, name: str) -> str:
        return f"{self.path}/{name}" if self.path else name


@dataclass(frozen=True, slots=True)
class _Listed:
    """A file to list: its path from the repository's root, through links, and its blob's id."""

    path: str
    blob: str


def files(repository: pygit2.Repository, commit: str, subpath: str) -> dict[str, Any]:
    """List the files that matter below a folder, sorted by path, and what cannot be read there.

    A file that links lead to is listed at each path. Raises GitFailure(PATH_MISSING).
    """
    links = Links(repository)
    listed: list[tuple[str, str, int]] = []
    skipped: list[tuple[str, str, str]] = []
    for found in _walk(_start(repository, links, commit, subpath), links, _is_visible, is_listed):
        if isinstance(found, Skipped):
            skipped.append((found.path, found.reason, found.target))
        else:
            listed.append((found.path, found.blob, _size(repository, found.blob)))
    return {"files": sorted(listed), "skipped": sorted(skipped), "has_links": links.matter}


def paths(repository: pygit2.Repository, commit: str, wanted: Sequence[str]) -> dict[str, Any]:
    """List files, and all that is below folders, whatever their names; sorted by path.

    `folders` are those of `wanted` that are folders, `missing` those that are not there, lie outside, or are
    links that lead nowhere. `skipped` are such links and submodules below the folders.
    """
    links, tree = Links(repository), _tree(repository, commit)
    listed: dict[str, str] = {}
    folders, missing = [], []
    skipped: set[tuple[str, str, str]] = set()
    for path in wanted:
        names = [part for part in path.split("/") if part]
        folder, depth = resolve(links, tree, names)
        if depth == len(names):
            folders.append(path)
            for found in _walk(_Place(path, folder), links, _is_not_git, _is_any):
                if isinstance(found, _Listed):
                    listed[found.path] = found.blob
                elif found.reason is not SkipReason.FOLDER:
                    skipped.add((found.path, found.reason, found.target))
        elif depth == len(names) - 1 and (blob := _file(folder, names[-1], links)):
            listed[path] = blob
        else:
            missing.append(path)
    files = sorted((path, blob, _size(repository, blob)) for path, blob in listed.items())
    return {"files": files, "folders": folders, "missing": missing, "skipped": sorted(skipped)}


def _file(folder: Folder, name: str, links: Links) -> str:
    """Return the blob id of a file in a folder, behind links too; empty if there is none."""
    entry = folder.entry(name) if name != ".." else None
    if entry is None or entry.filemode in (FileMode.COMMIT, FileMode.TREE):
        return ""
    if entry.filemode != FileMode.LINK:
        return str(entry.id)
    try:
        found = links.follow(folder, name, str(entry.id))
    except BrokenLinkError:
        return ""
    return found if isinstance(found, str) else ""


def _size(repository: pygit2.Repository, blob: str) -> int:
    with storage():
        size: int = repository.odb.read_header(blob)[1]
    return size


def _is_visible(name: str) -> bool:
    return not name.startswith(".") or name == IGNORE_FILE


def _is_not_git(name: str) -> bool:
    return name != ".git"


def _is_any(name: str) -> bool:
    del name
    return True


def _start(repository: pygit2.Repository, links: Links, commit: str, subpath: str) -> _Place:
    names = [part for part in subpath.split("/") if part not in ("", ".")]
    folder, depth = resolve(links, _tree(repository, commit), names)
    if depth == len(names):
        return _Place("/".join(names), folder)
    folders = sorted(each.name or "" for each in folder.tree if each.filemode == FileMode.TREE)
    raise GitFailure(
        ErrorKind.PATH_MISSING,
        _what_is_there(folder, names[depth], links, path="/".join(names[: depth + 1])),
        at="/".join(names[:depth]),
        folders=folders[:20],
    )


def _what_is_there(folder: Folder, name: str, links: Links, *, path: str) -> str:
    """Return in words what is at a path instead of a folder."""
    entry = folder.entry(name) if name != ".." else None
    if entry is not None and entry.filemode == FileMode.COMMIT:
        return f"{path} is a submodule, which Nopea does not read,"
    if entry is not None and entry.filemode == FileMode.LINK:
        try:
            links.follow(folder, name, str(entry.id))
        except BrokenLinkError as error:
            return f"{path} is a symbolic link to {error.target}, which {_WHY[error.reason]},"
    return f"there is no folder {path}"


_WHY = {
    SkipReason.NOT_THERE: "is not in the repository",
    SkipReason.TO_SUBMODULE: "is in a submodule",
    SkipReason.OUTSIDE: "is outside the repository",
    SkipReason.LOOP: "leads back to the link",
}


def _walk(
    start: _Place, links: Links, enters: Callable[[str], bool], lists: Callable[[str], bool]
) -> Iterator[_Listed | Skipped]:
    """Yield what is below a folder, unordered; bounded in depth and number.

    `enters` says of which names anything matters, `lists` of which names a file does.
    """
    waiting = [start]
    count = 0
    while waiting:
        place = waiting.pop()
        if place.depth > _MAX_DEPTH:
            raise GitFailure(ErrorKind.TOO_BIG, f"{place.path} is nested deeper than {_MAX_DEPTH} folders")
        for item in place.folder.tree:
            count += 1
            if count > _MAX_ENTRIES:
                raise GitFailure(ErrorKind.TOO_BIG, f"more than {_MAX_ENTRIES} files in one folder tree")
            name = item.name or ""
            if not enters(name):
                continue
            found = _found(place, name, item, links, lists)
            if isinstance(found, _Place):
                if is_manifest_name(name) or name == IGNORE_FILE:
                    yield Skipped(found.path, SkipReason.FOLDER)
                waiting.append(found)
            elif found is not None:
                yield found


def _found(
    place: _Place, name: str, item: pygit2.Object, links: Links, lists: Callable[[str], bool]
) -> _Place | _Listed | Skipped | None:
    """Return what an entry of a folder is, behind a link too; None for a file that does not matter."""
    path, mode = place.path_of(name), item.filemode
    if mode == FileMode.COMMIT:
        return Skipped(path, SkipReason.SUBMODULE)
    if mode == FileMode.TREE:
        return _Place(path, place.folder.below(name), place.depth + 1, place.linked_from)
    blob = str(item.id)
    if mode == FileMode.LINK:
        try:
            target = links.follow(place.folder, name, blob)
        except BrokenLinkError as error:
            links.matter = True
            return Skipped(path, error.reason, error.target)
        links.matter |= isinstance(target, Folder) or lists(name)
        if isinstance(target, Folder):
            above = (*place.linked_from, place.folder)
            if any(target.holds(folder) for folder in above):
                return Skipped(path, SkipReason.LOOP, "/".join(target.names) or ".")
            return _Place(path, target, place.depth + 1, above)
        blob = target
    return _Listed(path, blob) if lists(name) else None


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
