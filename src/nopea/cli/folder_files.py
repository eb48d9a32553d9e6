"""The files of a local folder, for a renderer: links are followed, but never out of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

from nopea.core.git.source import FileEntry, PathListing, Skipped, SkipReason
from nopea.core.problem import Code, Problem, StalledError

MAX_FILES = 100_000


class FolderFiles:
    """The files below the root of a repository, or beside a root that is a file.

    Raises OSError for what cannot be read.
    """

    def __init__(self, root: Path) -> None:
        self._root = (root.parent if root.is_file() else root).resolve()

    async def paths(self, paths: Sequence[str]) -> PathListing:
        """Return what is at the paths; the id of a file is its path."""
        return await asyncio.to_thread(self._paths, paths)

    async def read(self, blobs: Sequence[str]) -> dict[str, bytes]:
        """Return the contents of files."""
        return await asyncio.to_thread(lambda: {blob: (self._root / blob).read_bytes() for blob in blobs})

    def _paths(self, paths: Sequence[str]) -> PathListing:
        files: dict[str, Path] = {}
        folders, missing = [], []
        skipped: list[Skipped] = []
        for path in paths:
            place = self._root / path
            if not self._is_inside(place):
                missing.append(path)
            elif place.is_dir():
                folders.append(path)
                for found in self._below(place):
                    if isinstance(found, Skipped):
                        skipped.append(found)
                    else:
                        files[found[0]] = found[1]
            else:
                files[path] = place
        entries = [FileEntry(path, path, place.stat().st_size) for path, place in sorted(files.items())]
        return PathListing(
            files=tuple(entries), folders=tuple(folders), missing=tuple(missing), skipped=tuple(skipped)
        )

    def _is_inside(self, place: Path) -> bool:
        """Whether a path leads to something in the root; as in Git, by relative links only."""
        within = place.relative_to(self._root).parts if place.is_relative_to(self._root) else None
        if within is None or ".." in within or not place.exists():
            return False
        above = (self._root.joinpath(*within[: depth + 1]) for depth in range(len(within)))
        if any(each.is_symlink() and each.readlink().is_absolute() for each in above):
            return False
        return place.resolve().is_relative_to(self._root)

    def _below(self, folder: Path) -> Iterator[tuple[str, Path] | Skipped]:
        """Yield the files below a folder, and the links that lead nowhere."""
        count = 0
        waiting: list[tuple[Path, frozenset[Path]]] = [(folder, frozenset())]
        while waiting:
            place, above = waiting.pop()
            here = place.resolve()
            if here in above:  # a link back: Git does not follow it either
                continue
            for entry in sorted(place.iterdir()):
                count += 1
                if count > MAX_FILES:
                    raise StalledError(too_many(folder))
                if entry.name == ".git":
                    continue
                if not self._is_inside(entry):
                    target = str(entry.readlink()) if entry.is_symlink() else ""
                    yield Skipped(entry.relative_to(self._root).as_posix(), SkipReason.NOT_THERE, target)
                elif entry.is_dir():
                    waiting.append((entry, above | {here}))
                else:
                    yield entry.relative_to(self._root).as_posix(), entry


def too_many(root: Path) -> Problem:
    """Return the problem of a folder with more than MAX_FILES files."""
    return Problem(
        code=Code.YAML_LIMIT,
        message=f"There are more than {MAX_FILES:,} files below {root}.",
        hint="Give a folder that holds only the manifests.",
    )
