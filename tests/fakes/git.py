"""An in-memory Git port: a branch of commits, their files by path, and a record of the calls."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tests.fakes.samples import COMMIT, problem

from nopea.core.git.source import (
    Commit,
    FileEntry,
    FileListing,
    ParsedFile,
    PathListing,
    Ref,
    Remote,
    Skipped,
)
from nopea.core.manifests.file import parse_file
from nopea.core.problem import Code, StalledError, TransientError
from nopea.reconcile.fetch import Git


class FakeGit:
    """Serves `files` at the newest `commit`; a blob id is the hash of the content.

    A fetch takes `seconds`. While it is `down`, the server does not respond; commits that were fetched before
    can be read.
    """

    def __init__(self, files: Mapping[str, str], *, skipped: Sequence[Skipped] = ()) -> None:
        self.files = dict(files)
        self.commit = COMMIT
        self.down = False
        self.seconds = 0.0
        self.skipped = tuple(skipped)
        self.has_links = False
        self._older: dict[str, tuple[Commit, dict[str, str]]] = {}
        self.refs: list[Ref] = []
        self.parsed: list[list[str]] = []
        self.read_blobs: list[str] = []
        self.timeouts: set[float] = set()

    def push(self, changes: Mapping[str, str | None]) -> Commit:
        """Commit files with these contents; None deletes a file."""
        self._older[self.commit.id] = (self.commit, self.files)
        self.commit = replace(COMMIT, id=f"{len(self._older):07x}" + COMMIT.id[7:])
        merged = {**self.files, **changes}
        self.files = {path: text for path, text in merged.items() if text is not None}
        return self.commit

    async def ls_remote(self, remote: Remote, ref: Ref, *, timeout_seconds: float) -> str:
        """Return the id of the newest commit."""
        return (await self.sync(remote, ref, timeout_seconds=timeout_seconds)).id

    async def sync(self, remote: Remote, ref: Ref, *, timeout_seconds: float) -> Commit:
        """Return the newest commit."""
        del remote
        self.timeouts.add(timeout_seconds)
        self.refs.append(ref)
        await asyncio.sleep(self.seconds)
        if self.down:
            raise TransientError(problem(Code.GIT_UNREACHABLE, "it does not answer"))
        return self.commit

    async def head(self, remote: Remote, commit: str, *, timeout_seconds: float) -> Commit:
        """Return the facts of a commit."""
        del remote, timeout_seconds
        return self._at(commit)[0]

    async def merge(self, remote: Remote, onto: Commit, head: Commit, *, timeout_seconds: float) -> str:
        """Return the newest commit: it has all older ones."""
        del remote, onto, timeout_seconds
        return head.id

    async def listing(
        self, remote: Remote, commit: str, subpath: str, *, timeout_seconds: float
    ) -> FileListing:
        """Return the files below the folder."""
        del remote
        self.timeouts.add(timeout_seconds)
        prefix = f"{subpath.strip('/')}/" if subpath else ""
        entries = tuple(
            FileEntry(path, blob_of(text), len(text))
            for path, text in sorted(self._at(commit)[1].items())
            if path.startswith(prefix)
        )
        return FileListing(files=entries, skipped=self.skipped, has_links=self.has_links)

    async def paths(
        self, remote: Remote, commit: str, paths: Sequence[str], *, timeout_seconds: float
    ) -> PathListing:
        """Return the files at the paths and below them."""
        del remote, timeout_seconds
        files = self._at(commit)[1]
        folders = [path for path in paths if not path or any(each.startswith(f"{path}/") for each in files)]
        found = {
            path: text
            for path, text in files.items()
            if path in paths or any(not folder or path.startswith(f"{folder}/") for folder in folders)
        }
        missing = (path for path in paths if path not in folders and path not in files)
        return PathListing(
            files=tuple(FileEntry(path, blob_of(text), len(text)) for path, text in sorted(found.items())),
            folders=tuple(folders),
            missing=tuple(missing),
        )

    async def read(
        self, remote: Remote, commit: str, blobs: Sequence[str], *, timeout_seconds: float
    ) -> dict[str, bytes]:
        """Return the contents of blobs."""
        del remote, commit
        self.timeouts.add(timeout_seconds)
        self.read_blobs += blobs
        return {blob: self._contents()[blob] for blob in blobs}

    async def manifests(
        self, remote: Remote, blobs: Sequence[str], *, timeout_seconds: float
    ) -> dict[str, ParsedFile]:
        """Return the parsed files of blobs."""
        del remote
        self.timeouts.add(timeout_seconds)
        self.parsed.append(list(blobs))
        return {blob: parse_file(self._contents()[blob]) for blob in blobs}

    def _at(self, commit: str) -> tuple[Commit, dict[str, str]]:
        if commit == self.commit.id:
            return self.commit, self.files
        if commit not in self._older:
            raise StalledError(problem(Code.GIT_REF_NOT_FOUND, f"there is no commit {commit}"))
        return self._older[commit]

    def _contents(self) -> dict[str, bytes]:
        trees = [self.files, *(files for _, files in self._older.values())]
        return {blob_of(text): text.encode() for files in trees for text in files.values()}


def blob_of(text: str) -> str:
    """Return the blob id of a content."""
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


_: type[Git] = FakeGit
