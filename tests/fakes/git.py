"""A Git port over a dictionary: one commit, its files by path, and what was asked of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from tests.fakes.samples import COMMIT

from nopea.core.git.source import Commit, FileEntry, FileListing, ParsedFile, Ref, Remote
from nopea.core.manifests.file import parse_file
from nopea.reconcile.ports import Git


class FakeGit:
    """Serves `files` at one commit; blobs are named by their content, as in Git."""

    def __init__(self, files: Mapping[str, str], *, skipped: Sequence[tuple[str, str]] = ()) -> None:
        self.files = dict(files)
        self.skipped = tuple(skipped)
        self.refs: list[Ref] = []
        self.parsed: list[list[str]] = []
        self.read_blobs: list[str] = []
        self.timeouts: set[float] = set()

    async def ls_remote(self, remote: Remote, ref: Ref, *, timeout_seconds: float) -> str:
        """Answer with the one commit."""
        return (await self.sync(remote, ref, timeout_seconds=timeout_seconds)).id

    async def sync(self, remote: Remote, ref: Ref, *, timeout_seconds: float) -> Commit:
        """Answer with the one commit."""
        del remote
        self.timeouts.add(timeout_seconds)
        self.refs.append(ref)
        return COMMIT

    async def head(self, remote: Remote, commit: str, *, timeout_seconds: float) -> Commit:
        """Answer with the facts of the one commit there is."""
        del remote, commit, timeout_seconds
        return COMMIT

    async def listing(
        self, remote: Remote, commit: str, subpath: str, *, timeout_seconds: float
    ) -> FileListing:
        """List the files below the folder."""
        del remote
        assert commit == COMMIT.id
        self.timeouts.add(timeout_seconds)
        prefix = f"{subpath.strip('/')}/" if subpath else ""
        entries = tuple(
            FileEntry(path, blob_of(text), len(text))
            for path, text in sorted(self.files.items())
            if path.startswith(prefix)
        )
        return FileListing(files=entries, skipped=self.skipped)

    async def read(
        self, remote: Remote, commit: str, blobs: Sequence[str], *, timeout_seconds: float
    ) -> dict[str, bytes]:
        """Return contents."""
        del remote
        assert commit == COMMIT.id
        self.timeouts.add(timeout_seconds)
        self.read_blobs += blobs
        return {blob: self._contents()[blob] for blob in blobs}

    async def manifests(
        self, remote: Remote, blobs: Sequence[str], *, timeout_seconds: float
    ) -> dict[str, ParsedFile]:
        """Return contents, parsed."""
        del remote
        self.timeouts.add(timeout_seconds)
        self.parsed.append(list(blobs))
        return {blob: parse_file(self._contents()[blob]) for blob in blobs}

    def _contents(self) -> dict[str, bytes]:
        return {blob_of(text): text.encode() for text in self.files.values()}


def blob_of(text: str) -> str:
    """Return the id of a content."""
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


_: type[Git] = FakeGit
