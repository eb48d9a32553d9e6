"""What a pass needs of Git: the port as a Protocol, so that tests may hand in another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from nopea.core.git.source import Commit, FileListing, ParsedFile, Ref, Remote


class Git(Protocol):
    """The Git port; every call raises SyncError kinds only, and ends by its own deadline."""

    async def ls_remote(self, remote: Remote, ref: Ref, *, timeout_seconds: float) -> str:
        """Return the commit id that the ref points to, without a fetch."""
        ...

    async def sync(self, remote: Remote, ref: Ref, *, timeout_seconds: float) -> Commit:
        """Bring the ref's commit into the mirror and return its facts."""
        ...

    async def head(self, remote: Remote, commit: str, *, timeout_seconds: float) -> Commit:
        """Return the facts of a commit."""
        ...

    async def listing(
        self, remote: Remote, commit: str, subpath: str, *, timeout_seconds: float
    ) -> FileListing:
        """List the manifest and ignore files below a folder at a commit, and what was skipped."""
        ...

    async def read(
        self, remote: Remote, commit: str, blobs: Sequence[str], *, timeout_seconds: float
    ) -> dict[str, bytes]:
        """Return the contents of blobs."""
        ...

    async def manifests(
        self, remote: Remote, blobs: Sequence[str], *, timeout_seconds: float
    ) -> dict[str, ParsedFile]:
        """Return blobs as parsed manifests; the parsing happens in the child."""
        ...
