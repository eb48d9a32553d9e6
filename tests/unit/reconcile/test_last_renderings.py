"""The last rendering serves while what it was made with is missing."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from tests.fakes.git import FakeGit
from tests.fakes.renderer import FakeRenderer, renderings

from nopea.core.api.repository import parse_spec
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.git.source import Remote
from nopea.core.manifests.inputs import RenderInputs
from nopea.core.manifests.rendering import RenderAnswer, RenderedObject, RenderRequest
from nopea.core.objects import RepoKey
from nopea.core.problem import Code, Problem, StalledError
from nopea.reconcile.fetch import Fetcher, Snapshot
from nopea.reconcile.renderings import NoCluster
from nopea.state.store import ManifestCache

WEB = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"web"}}'
MISSING = Problem(code=Code.INPUT_MISSING, message="It is not there.", hint="")
URL = "https://git.acme.example/shop.git"
REMOTE, NEIGHBOUR = (Remote(URL, owner=RepoKey("shop", name)) for name in ("web", "api"))


class _Cluster(NoCluster):
    is_broken = False

    async def of(self, owner: RepoKey, spec: GitRepositorySpec) -> RenderInputs:
        del owner
        if self.is_broken:
            raise StalledError(MISSING)
        return RenderInputs(variables=spec.substitute, private=True)


def _answer(request: RenderRequest) -> RenderAnswer:
    """Answer with a ConfigMap, and what was parsed before."""
    made = (RenderedObject("prod/kustomization.yaml", 0, WEB),) if request.path else ()
    return RenderAnswer(objects=(*made, *request.documents), read=tuple(request.files))


class _World:
    def __init__(self, files: Mapping[str, str]) -> None:
        self.git, self.cluster = FakeGit(files), _Cluster()
        rendered = renderings(FakeRenderer(_answer), cluster=self.cluster)
        self._fetcher = Fetcher(self.git, ManifestCache(limit_bytes=2**20), rendered)
        spec = parse_spec({"url": URL, "path": "prod", "substitute": {"a": "b"}})
        assert isinstance(spec, GitRepositorySpec)
        self._spec = spec

    async def read(self, remote: Remote = REMOTE, *, or_last: bool = False) -> Snapshot:
        """Read the commit that was fetched."""
        return await self._fetcher.snapshot_at(self._spec, remote, self.git.commit, or_last=or_last)


KUSTOMIZED = {"prod/kustomization.yaml": "resources: []\n"}
FOLDERS = pytest.mark.parametrize("files", [KUSTOMIZED, {"prod/web.yaml": WEB.decode()}])


@FOLDERS
async def test_it_serves_only_whoever_asks_for_it(files: Mapping[str, str]) -> None:
    """Else a sync would not learn that something is missing."""
    world = _World(files)
    before = await world.read()
    world.cluster.is_broken = True

    with pytest.raises(StalledError, match="It is not there"):
        await world.read()
    assert (await world.read(or_last=True)).files == before.files


@FOLDERS
async def test_it_serves_for_the_same_files_only(files: Mapping[str, str]) -> None:
    """And for its own repository."""
    world = _World(files)
    await world.read()
    world.cluster.is_broken = True

    with pytest.raises(StalledError):
        await world.read(NEIGHBOUR, or_last=True)
    world.git.push({path: text.replace("web", "api") + "\n" for path, text in files.items()})
    with pytest.raises(StalledError):
        await world.read(or_last=True)
