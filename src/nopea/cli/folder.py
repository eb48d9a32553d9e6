"""Read a local folder as if it were a commit. Follows no symbolic link and writes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from nopea.core.git.source import Commit, ParsedFile
from nopea.core.manifests.file import parse_file
from nopea.core.manifests.ignore import IGNORE_FILE, MAX_FILE_BYTES, Ignore, is_manifest
from nopea.core.manifests.yaml.budget import DEFAULT_LIMITS
from nopea.core.problem import Code, Problem, StalledError
from nopea.reconcile.fetch import Snapshot, no_manifests, symlink

MAX_FILES = 100_000


def read_folder(root: Path, *, path: str = "", exclude: Sequence[str] = ()) -> Snapshot:
    """Return the manifests below `path`, with `root` as the root of the repository.

    A file as `root` is a repository of one file. Raises StalledError when it cannot be read.
    """
    try:
        return _read(root, path=path, exclude=exclude)
    except OSError as error:
        raise StalledError(
            Problem(
                code=Code.GIT_PATH_NOT_FOUND,
                message=f"{error.filename or root} cannot be read: {error.strerror}.",
                hint="Correct the path or its permissions.",
            )
        ) from error


def _read(root: Path, *, path: str, exclude: Sequence[str]) -> Snapshot:
    if root.is_file():
        return _snapshot({root.name: _parse(root)}, ())
    names = sorted(_walk(root))
    ignore_files = {
        name: _read_start(root / name, MAX_FILE_BYTES)
        for name in names
        if name.rpartition("/")[2] == IGNORE_FILE
    }
    ignore = Ignore(root=path, exclude=exclude, ignore_files=ignore_files)
    wanted = [name for name in names if ignore.wants(name)]
    links = [name for name in wanted if (root / name).is_symlink()]
    files = {name: _parse(root / name) for name in wanted if name not in links}
    problems = (*ignore.problems, *map(symlink, links))
    return _snapshot(files, problems if files or problems else (no_manifests(path),))


def _walk(root: Path) -> Iterator[str]:
    count = 0
    for folder, folders, files in os.walk(root, onerror=_raise):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            count += 1
            if count > MAX_FILES:
                raise StalledError(_too_many(root))
            if is_manifest(name) or name == IGNORE_FILE:
                yield (Path(folder) / name).relative_to(root).as_posix()


def _raise(error: OSError) -> None:
    raise error


def _parse(file: Path) -> ParsedFile:
    return parse_file(_read_start(file, DEFAULT_LIMITS.file_bytes))


def _read_start(file: Path, limit: int) -> bytes:
    """Return at most one byte more than `limit`, which shows that the file is too long."""
    with file.open("rb") as stream:
        return stream.read(limit + 1)


def _snapshot(files: dict[str, ParsedFile], problems: tuple[Problem, ...]) -> Snapshot:
    commit = Commit(id="", author="", message="", committed_at=datetime.now(UTC))
    return Snapshot(commit=commit, files=files, problems=problems)


def _too_many(root: Path) -> Problem:
    return Problem(
        code=Code.YAML_LIMIT,
        message=f"There are more than {MAX_FILES:,} files below {root}.",
        hint="Give a folder that holds only the manifests.",
    )
