"""The files of a local folder, for a renderer: links are followed, but never out of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

from nopea.core.git.source import FileEntry, PathListing
from nopea.core.problem import Code, Problem, StalledError

MAX_FILES = 100_000


class FolderFiles:
    """The files below the root of a repository. Raises OSError for what cannot be read."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    async def paths(self, paths: Sequence[str]) -> PathListing:
        """Return what is at the paths; the id of a file is its path."""
        return await asyncio.to_thread(self._paths, paths)

    async def read(self, blobs: Sequence[str]) -> dict[str, bytes]:
        """Return the contents of files."""
        return await asyncio.to_thread(lambda: {blob: (self._root / blob).read_bytes() for blob in blobs})

    def _paths(self, paths: Sequence[str]) -> PathListing:
        files: dict[str, Path] = {}
        folders, missing = [], []
        for path in paths:
            place = self._root / path
            if not self._is_inside(place):
                missing.append(path)
            elif place.is_dir():
                folders.append(path)
                files.update(self._below(place))
            else:
                files[path] = place
        entries = [FileEntry(path, path, place.stat().st_size) for path, place in sorted(files.items())]
        return PathListing(files=tuple(entries), folders=tuple(folders), missing=tuple(missing))

    def _is_inside(self, place: Path) -> bool:
        return place.exists() and place.resolve().is_relative_to(self._root)

    def _below(self, folder: Path) -> Iterator[tuple[str, Path]]:
        for count, place in enumerate(folder.rglob("*")):
            if count == MAX_FILES:
                raise StalledError(too_many(folder))
            path = place.relative_to(self._root)
            if ".git" not in path.parts and place.is_file() and self._is_inside(place):
                yield path.as_posix(), place


def too_many(root: Path) -> Problem:
    """Return the problem of a folder with more than MAX_FILES files."""
    return Problem(
        code=Code.YAML_LIMIT,
        message=f"There are more than {MAX_FILES:,} files below {root}.",
        hint="Give a folder that holds only the manifests.",
    )
