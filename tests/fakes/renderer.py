"""Renderers that start no process."""

from __future__ import annotations

from collections.abc import Callable

from nopea.core.downloads.items import RemoteItem
from nopea.core.manifests.rendering import RenderAnswer, RenderRequest
from nopea.core.objects import RepoKey
from nopea.core.problem import Code, Problem, StalledError
from nopea.downloads.port import On
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


def renderings(
    renderer: Renderer | None = None, cluster: Cluster | None = None, remotes: Opener | None = None
) -> Renderings:
    """Return renderings with a cache of their own; without a renderer, nothing can be rendered."""
    return Renderings(
        renderer or FakeRenderer(not_installed),
        RenderCache(limit_bytes=2**20),
        cluster or NoCluster(),
        remotes or NoRemotes(),
    )
