"""Read a local folder as if it were a commit: links are followed, but never out of it. Writes nothing."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from nopea.cli.folder_files import MAX_FILES, FolderFiles, too_many
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.git.source import (
    Commit,
    FileEntry,
    FileListing,
    ParsedFile,
    Skipped,
    SkipReason,
)
from nopea.core.manifests.file import parse_file
from nopea.core.manifests.file_names import IGNORE_FILE, is_listed, is_manifest_name
from nopea.core.manifests.ignore import MAX_FILE_BYTES, Ignore
from nopea.core.manifests.inputs import transforms
from nopea.core.manifests.selection import problem_of_options, select
from nopea.core.manifests.tool import Tool
from nopea.core.manifests.yaml.budget import DEFAULT_LIMITS
from nopea.core.objects import RepoKey
from nopea.core.problem import Code, Problem, StalledError
from nopea.reconcile.fetch import Snapshot, chart_of, folder_of, rendered_snapshot, transformed
from nopea.reconcile.renderings import Renderings

_COMMIT = Commit(id="", author="", message="", committed_at=datetime.now(UTC))
UNNAMED = RepoKey("default", "release-name")
"""Whom a folder without a GitRepository is rendered for; `helm template` has the same names."""


def locate(folder: Path, path: str | None) -> tuple[Path, str]:
    """Return the root of the repository that a folder is in, and the path of the folder in it.

    With `path`, the folder is the root. Without one, it is the root unless it is in a working copy of Git.
    """
    if path is not None or folder.is_file():
        return folder, path or ""
    place = folder.resolve()
    for above in (place, *place.parents):
        if (above / ".git").exists():
            return above, "" if place == above else place.relative_to(above).as_posix()
    return folder, ""


async def read_folder(
    root: Path, spec: GitRepositorySpec, renderings: Renderings, *, owner: RepoKey = UNNAMED
) -> Snapshot:
    """Return what a GitRepository with this spec would declare, with `root` as the root of its repository.

    A file as `root` is a repository of one file. Raises SyncError when it cannot be read or rendered.
    """
    try:
        found = Tool.HELM if chart_of(spec) is not None else _read(root, path=spec.path, exclude=spec.exclude)
        source = FolderFiles(root)
        if isinstance(found, Tool):
            return await rendered_snapshot(_COMMIT, folder_of(spec, source, found, owner), spec, renderings)
        _refuse(problem_of_options(spec, None))
        if transforms(spec):
            blobs = {path: path for path in found.files}
            what = folder_of(spec, source, Tool.PLAIN, owner)
            return await transformed(found, what, spec, blobs, renderings)
        return found
    except StalledError as error:
        raise StalledError(*(_explained(problem, root) for problem in error.problems)) from error
    except OSError as error:
        raise _unreadable(root, error) from error


def _refuse(problem: Problem | None) -> None:
    if problem is not None:
        raise StalledError(problem)


def read_manifests(folder: Path) -> dict[str, ParsedFile]:
    """Return every file of a folder that may be a manifest, also where it is the input of a tool.

    A file as `folder` is the only one. Raises StalledError when the folder cannot be read.
    """
    try:
        if folder.is_file():
            return {folder.name: _parse(folder)}
        found = (path for path in _walk(folder, "") if isinstance(path, str) and is_manifest_name(path))
        return {path: _parse(folder / path) for path in sorted(found)}
    except OSError as error:
        raise _unreadable(folder, error) from error


def _unreadable(root: Path, error: OSError) -> StalledError:
    return StalledError(
        Problem(
            code=Code.GIT_PATH_NOT_FOUND,
            message=f"{error.filename or root} cannot be read: {error.strerror}.",
            hint="Correct the path or its permissions.",
        )
    )


def _explained(problem: Problem, root: Path) -> Problem:
    """Say what the root is where something lies outside of it."""
    if problem.code is not Code.OUTSIDE_REPOSITORY:
        return problem
    hint = (
        f"{root} counts as the root of the repository. If its root is a folder above, give that one, and the "
        "folder to render with --path, or with --for a GitRepository whose spec.path names it."
    )
    return replace(problem, hint=hint)


def _read(root: Path, *, path: str, exclude: Sequence[str]) -> Snapshot | Tool:
    """Return the manifests, or the tool whose input the folder is."""
    if root.is_file():
        return _snapshot({root.name: _parse(root)}, ())
    found = list(_walk(root, path))
    names = sorted(name for name in found if isinstance(name, str))
    skipped = tuple(each for each in found if isinstance(each, Skipped))
    ignore_files = {
        name: _read_start(root / name, MAX_FILE_BYTES)
        for name in names
        if name.rpartition("/")[2] == IGNORE_FILE
    }
    ignore = Ignore(root=path, exclude=exclude, ignore_files=ignore_files)
    selection = select(FileListing(tuple(FileEntry(name, "", 0) for name in names), skipped), ignore)
    if selection.refused:
        raise StalledError(*selection.refused)
    if selection.tool is not None:
        return selection.tool
    files = {entry.path: _parse(root / entry.path) for entry in selection.manifests}
    return _snapshot(files, selection.problems)


def _walk(root: Path, path: str) -> Iterator[str | Skipped]:
    """Yield the paths of the files that matter below a path, from the root, and what cannot be read."""
    top = root.resolve()
    start = "/".join(part for part in path.split("/") if part not in ("", "."))
    waiting: list[tuple[str, Path, tuple[Path, ...]]] = [(start, _inside(top, start), ())]
    count = 0
    while waiting:
        path, folder, linked_from = waiting.pop()
        for entry in os.scandir(folder):
            count += 1
            if count > MAX_FILES:
                raise StalledError(too_many(root))
            name = entry.name
            if name.startswith(".") and name != IGNORE_FILE:
                continue
            below = f"{path}/{name}" if path else name
            above = linked_from
            if entry.is_symlink():
                above = (*linked_from, folder)
                reason = _why_broken(Path(entry), top, above)
                if reason is not None:
                    yield Skipped(below, reason, str(Path(entry).readlink()))
                    continue
            if entry.is_dir():
                waiting.append((below, Path(entry).resolve(), above))
                if is_manifest_name(name) or name == IGNORE_FILE:
                    yield Skipped(below, SkipReason.FOLDER)
            elif is_listed(name):
                yield below


def _inside(top: Path, path: str) -> Path:
    """Return where a path leads. Raises OSError when that is not in the repository."""
    place = (top / path).resolve(strict=True)
    if not place.is_relative_to(top):
        raise OSError(errno.EXDEV, "It is outside of the repository", str(top / path))
    return place


def _why_broken(link: Path, top: Path, linked_from: tuple[Path, ...]) -> SkipReason | None:
    """Return why a link is not followed; None if it is."""
    if link.readlink().is_absolute():
        return SkipReason.OUTSIDE
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop, before Python 3.13
        is_loop = not isinstance(error, OSError) or error.errno == errno.ELOOP
        return SkipReason.LOOP if is_loop else SkipReason.NOT_THERE
    if not target.is_relative_to(top):
        return SkipReason.OUTSIDE
    return SkipReason.LOOP if any(folder.is_relative_to(target) for folder in linked_from) else None


def _parse(file: Path) -> ParsedFile:
    return parse_file(_read_start(file, DEFAULT_LIMITS.file_bytes))


def _read_start(file: Path, limit: int) -> bytes:
    """Return at most one byte more than `limit`, which shows that the file is too long."""
    with file.open("rb") as stream:
        return stream.read(limit + 1)


def _snapshot(files: dict[str, ParsedFile], problems: tuple[Problem, ...]) -> Snapshot:
    return Snapshot(commit=_COMMIT, files=files, problems=problems)
