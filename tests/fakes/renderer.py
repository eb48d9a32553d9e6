"""Renderers that start no process, and what lies elsewhere without a server."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from nopea.core.decryption.keys import WrappedKey
from nopea.core.downloads.items import RemoteItem
from nopea.core.git.source import FileEntry, PathListing
from nopea.core.manifests.rendering import RenderAnswer, RenderRequest
from nopea.core.objects import RepoKey
from nopea.core.problem import Code, Problem, StalledError
from nopea.core.secret import Secret
from nopea.downloads.port import On, Resolved
from nopea.keys.port import KeyUser
from nopea.reconcile.data_keys import KeyOpener
from nopea.reconcile.remotes import Opened
from nopea.reconcile.renderings import Cluster, NoCluster, Renderings
from nopea.reconcile.rounds import Opener, Renderer
from nopea.state.store import RenderCache


class FakeRenderer:
    """Answers by a function, and keeps the requests."""

    def __init__(self, answer: Callable[[RenderRequest], RenderAnswer]) -> None:
        self._answer = answer
        self.requests: list[RenderRequest] = []
        self.timeouts: list[float] = []

    async def render(self, request: RenderRequest, owner: RepoKey, *, timeout_seconds: float) -> RenderAnswer:
        """Return what the function returns."""
        del owner
        self.requests.append(request)
        self.timeouts.append(timeout_seconds)
        return self._answer(request)


def not_installed(request: RenderRequest) -> RenderAnswer:
    """Raise the error of a missing program."""
    raise StalledError(
        Problem(code=Code.RENDERER_MISSING, message="It is missing.", hint="", source=request.path)
    )


class NoRemotes:
    """Opens nothing."""

    async def open(self, item: RemoteItem, on: On, *, fresh: bool) -> Opened:
        """Fail."""
        raise AssertionError(item, on, fresh)

    def keep(self, opened: Opened, on: On) -> None:
        """Fail: there is nothing to keep."""
        raise AssertionError(opened, on)


class OneFile:
    """A tree with one file; its content says which one it is."""

    def __init__(self, path: str) -> None:
        self.path = path

    async def paths(self, paths: Sequence[str]) -> PathListing:
        """Return the file, whatever is asked for."""
        assert paths
        return PathListing(files=(FileEntry(self.path, f"blob of {self.path}", 1),))

    async def read(self, blobs: Sequence[str]) -> Mapping[str, bytes]:
        """Return the ids as contents."""
        return {blob: blob.encode() for blob in blobs}


class FakeRemotes:
    """Opens every item as one file, in version 1.0.0; remembers what was opened, and what was kept."""

    def __init__(self) -> None:
        self.opened: list[tuple[RemoteItem, bool]] = []
        self.kept: list[RemoteItem] = []

    async def open(self, item: RemoteItem, on: On, *, fresh: bool) -> Opened:
        """Open it."""
        del on
        self.opened.append((item, fresh))
        return Opened(
            item=item,
            path=f"{item.folder}/base.yaml",
            shown=item.place,
            files=OneFile("base.yaml"),
            resolved=Resolved(
                item=item, version="1.0.0", digest="sha256:1", url=item.place, content_digest="sha256:1"
            ),
        )

    def keep(self, opened: Opened, on: On) -> None:
        """Remember it."""
        del on
        self.kept.append(opened.item)


class NoKeys:
    """Opens nothing."""

    async def open(self, key: WrappedKey, user: KeyUser) -> Secret:
        """Fail."""
        raise AssertionError(key, user)


def renderings(
    renderer: Renderer | None = None,
    cluster: Cluster | None = None,
    remotes: Opener | None = None,
    keys: KeyOpener | None = None,
) -> Renderings:
    """Return renderings with a cache of their own; without a renderer, nothing can be rendered."""
    return Renderings(
        renderer or FakeRenderer(not_installed),
        RenderCache(limit_bytes=2**20),
        cluster or NoCluster(),
        remotes or NoRemotes(),
        keys or NoKeys(),
    )
