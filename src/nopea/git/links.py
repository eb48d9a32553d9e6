"""Follow links in a commit as Linux would in a checkout (child side), never out of the repository."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import pygit2
from pygit2.enums import FileMode

from nopea.core.git.source import SkipReason
from nopea.git.failure import GitFailure, storage
from nopea.git.protocol import ErrorKind

_MAX_LINKS = 40
_MAX_TARGET = 4096
"""The limits of Linux: MAXSYMLINKS and PATH_MAX."""

_MAX_DEPTH = 256
_MAX_FOLDERS = 1_000
"""Trees that are kept in memory for the links of a listing."""
_MAX_STEPS = 250_000
"""Names that are looked up for all links of a listing: a step costs some microseconds."""


class BrokenLinkError(Exception):
    """A link leads to nothing that can be read; `target` is what the link says."""

    def __init__(self, reason: SkipReason, target: str = "") -> None:
        super().__init__(f"{reason}: {target}")
        self.reason = reason
        self.target = target


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder by its real path, without links: its names from the root, with the tree of each."""

    names: tuple[str, ...]
    trees: tuple[pygit2.Tree, ...]
    """One more than names: the first is the root's."""

    @property
    def tree(self) -> pygit2.Tree:
        """Its own tree."""
        return self.trees[-1]

    def entry(self, name: str) -> pygit2.Object | None:
        """Return what has this name in it."""
        with storage():
            if name not in self.tree:
                return None
            return self.tree[name]

    def below(self, name: str) -> Folder:
        """Return a folder in this one."""
        if len(self.names) == _MAX_DEPTH:
            raise GitFailure(ErrorKind.TOO_BIG, f"folders are nested deeper than {_MAX_DEPTH}")
        with storage():
            tree = self.tree[name]
        assert isinstance(tree, pygit2.Tree)  # noqa: S101 — the caller has seen its mode
        return Folder((*self.names, name), (*self.trees, tree))

    def above(self) -> Folder | None:
        """Return the folder that it is in; None for the root."""
        return Folder(self.names[:-1], self.trees[:-1]) if self.names else None

    def holds(self, other: Folder) -> bool:
        """Whether the other folder is this one or in it."""
        return other.names[: len(self.names)] == self.names


class Links:
    """The links of one commit; where each leads is found out once.

    `matter` becomes true with the first link that decides what is listed.
    """

    def __init__(self, repository: pygit2.Repository) -> None:
        self.matter = False
        self._repository = repository
        self._known: dict[tuple[str, ...], Folder | str | BrokenLinkError] = {}
        self._folders: dict[tuple[str, ...], Folder] = {}
        self._steps = 0

    def follow(self, folder: Folder, name: str, blob: str) -> Folder | str:
        """Return what a link in a folder leads to: a folder, or the blob id of a file.

        Raises BrokenLinkError.
        """
        place = (*folder.names, name)
        if place not in self._known:
            self._known[place] = self._outcome(folder, blob)
        found = self._known[place]
        if isinstance(found, BrokenLinkError):
            raise BrokenLinkError(found.reason, found.target)
        return found

    def _outcome(self, folder: Folder, blob: str) -> Folder | str | BrokenLinkError:
        target = ""
        try:
            target = self._target(blob)
            return self._walk(folder, target)
        except BrokenLinkError as error:
            return BrokenLinkError(error.reason, target)

    def _walk(self, start: Folder, target: str) -> Folder | str:
        folder, rest, links = start, _parts(target), 1
        while rest:
            name = rest.pop()
            self._steps += 1
            if self._steps > _MAX_STEPS:
                raise GitFailure(ErrorKind.TOO_BIG, "the repository has too many or too long symbolic links")
            if name == "..":
                above = folder.above()
                if above is None:
                    raise BrokenLinkError(SkipReason.OUTSIDE)
                folder = above
                continue
            entry = folder.entry(name)
            mode = entry.filemode if entry is not None else None
            if entry is None or mode == FileMode.COMMIT:
                raise BrokenLinkError(SkipReason.TO_SUBMODULE if entry else SkipReason.NOT_THERE)
            if mode == FileMode.TREE:
                folder = self._below(folder, name)
            elif mode == FileMode.LINK:
                links += 1
                if links > _MAX_LINKS:
                    raise BrokenLinkError(SkipReason.LOOP)
                rest += _parts(self._target(str(entry.id)))
            elif rest:  # a file has nothing below it
                raise BrokenLinkError(SkipReason.NOT_THERE)
            else:
                return str(entry.id)
        return folder

    def _below(self, folder: Folder, name: str) -> Folder:
        """Return a folder in a folder. libgit2 would parse a big tree again each time."""
        path = (*folder.names, name)
        if path not in self._folders:
            if len(self._folders) == _MAX_FOLDERS:
                self._folders.clear()
            self._folders[path] = folder.below(name)
        return self._folders[path]

    def _target(self, blob: str) -> str:
        with storage():
            _, size = self._repository.odb.read_header(blob)
            raw = self._repository.odb.read(blob)[1] if size < _MAX_TARGET else b""
        if not raw or b"\0" in raw:
            raise BrokenLinkError(SkipReason.NOT_THERE)
        text: str = raw.decode("utf-8", "surrogateescape")
        return text


def _parts(target: str) -> list[str]:
    """Return the names of a target, the last one first."""
    if target.startswith("/"):
        raise BrokenLinkError(SkipReason.OUTSIDE)
    return [part for part in reversed(target.split("/")) if part not in ("", ".")]


def resolve(links: Links, root: pygit2.Tree, names: Sequence[str]) -> tuple[Folder, int]:
    """Return the folder at a path, through links, and how many of the names lead to it.

    With fewer than all of them, the next one is not a folder there.
    """
    folder = Folder((), (root,))
    for depth, name in enumerate(names):
        entry = folder.entry(name) if name != ".." else None
        mode = entry.filemode if entry is not None else None
        found: Folder | str | None = None
        if entry is not None and mode == FileMode.LINK:
            links.matter = True
            with suppress(BrokenLinkError):
                found = links.follow(folder, name, str(entry.id))
        elif mode == FileMode.TREE:
            found = folder.below(name)
        if not isinstance(found, Folder):
            return folder, depth
        folder = found
    return folder, len(names)
