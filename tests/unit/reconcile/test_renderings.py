"""The renderer gets what it asks for, and a rendering is kept until something that it read changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from tests.fakes.git import FakeGit
from tests.fakes.renderer import FakeRemotes, FakeRenderer, NoKeys, NoRemotes, renderings

from nopea.core.api.entries import ChartEntry
from nopea.core.api.repository import parse_spec
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.decryption.keys import Opening, VaultKey, WrappedKey
from nopea.core.decryption.logins import NO_KEY_LOGINS, KeyLogins
from nopea.core.downloads.items import RemoteItem, RemoteKind
from nopea.core.git.source import Remote
from nopea.core.manifests import limits
from nopea.core.manifests.inputs import RenderInputs
from nopea.core.manifests.rendering import RenderAnswer, RenderedObject, RenderRequest
from nopea.core.manifests.tool import Tool
from nopea.core.objects import RepoKey
from nopea.core.problem import Code, Problem, StalledError
from nopea.core.secret import Secret
from nopea.keys.port import KeyUser
from nopea.reconcile.fetch import Fetcher, Snapshot, folder_of
from nopea.reconcile.remotes import FilesAt
from nopea.reconcile.renderings import NoCluster, Renderings
from nopea.state.store import ManifestCache, RenderCache, Rendered

REMOTE = Remote("https://git.acme.example/shop/api.git")
WEB = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"web"}}'
FILES = {
    "prod/kustomization.yaml": "resources: [../base]\n",
    "base/kustomization.yaml": "resources: [web.yaml]\n",
    "base/web.yaml": "{}",
    "other/kustomization.yaml": "resources: []\n",
}


def _spec(**changes: Any) -> GitRepositorySpec:
    spec = parse_spec({"url": REMOTE.url, "path": "prod", **changes})
    assert isinstance(spec, GitRepositorySpec)
    return spec


def _with_base(request: RenderRequest) -> RenderAnswer:
    """Answer as the renderer does for an overlay with a base."""
    if "base/kustomization.yaml" not in request.files:
        return RenderAnswer(need=("base",))
    return RenderAnswer(
        objects=(RenderedObject("base/web.yaml", 0, WEB),),
        read=("base/kustomization.yaml", "base/web.yaml", "prod/kustomization.yaml"),
        looked=("prod/kustomization.yml",),
    )


class _World:
    def __init__(self, answer: Callable[[RenderRequest], RenderAnswer] = _with_base, **files: str) -> None:
        self.git = FakeGit(FILES | files)
        self.renderer = FakeRenderer(answer)
        self.remotes = FakeRemotes()
        self.fetcher = Fetcher(
            self.git,
            ManifestCache(limit_bytes=2**20),
            renderings(self.renderer, remotes=self.remotes),
        )

    async def sync(self, *, chart: ChartEntry | None = None, **spec: Any) -> Snapshot:
        return await self.fetcher.snapshot(_spec(**spec), REMOTE, chart=chart)


async def test_the_renderer_gets_its_folder_and_what_it_needs() -> None:
    """The objects are in the file that a person edits; files outside the path decide too."""
    world = _World()

    snapshot = await world.sync()

    assert [sorted(request.files) for request in world.renderer.requests] == [
        ["prod/kustomization.yaml"],
        ["base/kustomization.yaml", "base/web.yaml", "prod/kustomization.yaml"],
    ]
    last = world.renderer.requests[-1]
    assert (last.tool, last.path, list(last.folders)) == (Tool.KUSTOMIZE, "prod", ["prod", "base"])
    assert list(snapshot.files) == ["base/web.yaml"]
    assert (snapshot.problems, snapshot.has_links) == ((), True)


@pytest.mark.parametrize(
    ("change", "renders_again"),
    [
        ({"other/kustomization.yaml": "x"}, False),
        ({"prod/README.md": "x"}, False),
        ({"base/web.yaml": "x"}, True),
        ({"prod/kustomization.yml": "x"}, True),
        ({"base/web.yaml": None}, True),
    ],
)
async def test_only_what_was_read_renders_again(change: dict[str, str | None], renders_again: bool) -> None:
    """A file that appears where the renderer had looked in vain counts too."""
    world = _World()
    first = await world.sync()
    before = len(world.renderer.requests)
    world.git.push(change)

    second = await world.sync()

    assert (len(world.renderer.requests) > before) is renders_again
    assert second.files == first.files


async def test_a_new_file_in_a_folder_that_counts_as_a_whole_renders_again() -> None:
    """A chart is all of its folder."""
    world = _World(lambda _: RenderAnswer(objects=(RenderedObject("a", 0, WEB),), folders=("prod",)))
    await world.sync()
    await world.sync()
    assert len(world.renderer.requests) == 1

    world.git.push({"prod/templates/new.yaml": "x"})
    await world.sync()

    assert len(world.renderer.requests) == 2


async def test_changes_of_the_spec_render_again_and_reach_the_renderer() -> None:
    """Field names are those of Kustomize."""
    world = _World()
    await world.sync()

    await world.sync(kustomize={"namePrefix": "x-", "images": [{"name": "web", "newTag": "2"}]})

    options = msgspec.json.decode(msgspec.json.encode(world.renderer.requests[-1].options))
    assert options == {"kustomize": {"namePrefix": "x-", "images": [{"name": "web", "newTag": "2"}]}}


async def test_a_big_folder_is_not_given_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """The renderer asks for the files that it needs."""
    monkeypatch.setattr("nopea.reconcile.rounds._SMALL_FILES", 2)
    files = {f"prod/data/{number}.txt": "x" for number in range(3)}

    def answer(request: RenderRequest) -> RenderAnswer:
        if "prod/kustomization.yaml" not in request.files:
            return RenderAnswer(need=("prod/kustomization.yaml", "prod/kustomization.yml"))
        return RenderAnswer(objects=(RenderedObject("a", 0, WEB),))

    world = _World(answer, **files)
    await world.sync()

    last = world.renderer.requests[-1]
    assert (sorted(last.files), list(last.missing)) == (
        ["prod/kustomization.yaml"],
        ["prod/kustomization.yml"],
    )


async def test_a_rendering_that_needs_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The files are not read."""
    monkeypatch.setattr(limits, "MAX_RENDERED_BYTES", 10)

    with pytest.raises(StalledError) as error:
        await _World().sync()

    assert [problem.code for problem in error.value.problems] == [Code.REPOSITORY_TOO_BIG]


async def test_a_renderer_that_never_has_enough_ends() -> None:
    """A chain of bases without an end is a problem of the folder."""
    count = iter(range(1000))

    with pytest.raises(StalledError) as error:
        await _World(lambda _: RenderAnswer(need=(f"base{next(count)}",))).sync()

    assert [problem.code for problem in error.value.problems] == [Code.RENDERING_TOO_BIG]


async def test_all_rounds_share_one_deadline() -> None:
    """Else a folder could have the renderer for as often as it asks for more."""
    world = _World()

    await world.sync()

    first, second = world.renderer.timeouts
    assert 0 < second < first


async def test_a_folder_that_renders_to_nothing_is_a_problem() -> None:
    """So that a mistake deletes nothing."""
    snapshot = await _World(lambda _: RenderAnswer()).sync()

    assert [problem.code for problem in snapshot.problems] == [Code.NO_MANIFESTS]


def _plain(request: RenderRequest) -> RenderAnswer:
    """Answer as the renderer does for plain manifests: decrypted files first, then what was given."""
    decrypted = tuple(RenderedObject(path, 0, WEB.replace(b"web", b"secret")) for path in request.files)
    changed = tuple(replace(one, body=one.body.replace(b"OLD", b"new")) for one in request.documents)
    return RenderAnswer(objects=(*decrypted, *changed))


MANIFEST = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {a: OLD}\n"
SOPS = "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\nsops: {mac: ENC}\n"


async def test_plain_manifests_get_their_variables_in_place() -> None:
    """Each stays in its file, at its line."""
    world = _World(_plain, **{"plain/a.yaml": f"---\n{MANIFEST}"})

    snapshot = await world.sync(path="plain", substitute={"x": "y"})

    (document,) = snapshot.files["plain/a.yaml"].documents
    assert b'"a":"new"' in document.body
    assert document.line > 0
    assert world.renderer.requests[-1].options == {"substitute": {"vars": {"x": "y"}}}


async def test_only_encrypted_files_are_given_as_files() -> None:
    """Without keys they stay a problem."""
    files = {"plain/a.yaml": MANIFEST, "plain/secret.yaml": SOPS}
    decryption = {"provider": "sops", "secretRef": {"name": "keys"}}

    world = _World(_plain, **files)
    with_keys = await world.sync(path="plain", decryption=decryption)
    without = await _World(_plain, **files).sync(path="plain", substitute={})

    assert list(world.renderer.requests[-1].files) == ["plain/secret.yaml"]
    assert [len(file.documents) for file in with_keys.files.values()] == [1, 1]
    assert [problem.code for problem in without.files["plain/secret.yaml"].problems] == [Code.ENCRYPTED]


async def test_plain_manifests_are_changed_by_the_spec() -> None:
    """They are decrypted first; variables come last. Problems of the files stay."""
    world = _World(_plain, **{"plain/a.yaml": MANIFEST, "plain/b.yaml": "a: [\n"})

    snapshot = await world.sync(path="plain", kustomize={"namePrefix": "x-"}, substitute={"x": "y"})

    first, second = world.renderer.requests
    assert (first.tool, first.options) == (Tool.PLAIN, {})
    assert (second.tool, sorted(second.options)) == (Tool.KUSTOMIZE, ["kustomize", "private", "substitute"])
    assert [len(file.documents) for file in snapshot.files.values()] == [1, 0]
    assert [len(file.problems) for file in snapshot.files.values()] == [0, 1]


@pytest.mark.parametrize(("file", "private"), [(SOPS, True), (MANIFEST, False)])
async def test_errors_about_decrypted_manifests_tell_no_values(file: str, private: bool) -> None:
    """The second request has their contents as plain documents; only Nopea knows where they come from."""
    world = _World(_plain, **{"plain/a.yaml": file})
    decryption = {"provider": "sops", "secretRef": {"name": "keys"}}

    await world.sync(path="plain", kustomize={"namePrefix": "x-"}, decryption=decryption)

    assert world.renderer.requests[-1].options["private"] is private


async def test_options_of_a_chart_beside_plain_manifests_are_refused() -> None:
    """They would change nothing."""
    with pytest.raises(StalledError, match=r"Chart\.yaml"):
        await _World(_plain, **{"plain/a.yaml": MANIFEST}).sync(path="plain", helm={"values": {}})


async def test_options_of_kustomize_beside_a_chart_are_refused() -> None:
    """They would change nothing either."""
    world = _World(_plain, **{"chart/Chart.yaml": "name: x\n"})

    with pytest.raises(StalledError, match="is a chart"):
        await world.sync(path="chart", kustomize={"namePrefix": "x-"})
    with pytest.raises(StalledError, match=r"is built with Kustomize"):
        await world.sync(helm={"values": {}})


class _Inputs(NoCluster):
    """What a cluster gives."""

    def __init__(self, inputs: RenderInputs) -> None:
        self._inputs = inputs

    async def of(self, owner: RepoKey, spec: GitRepositorySpec) -> RenderInputs:
        del owner, spec
        return self._inputs


class _Files:
    """What outlives the process."""

    def __init__(self) -> None:
        self.kept: dict[str, Rendered] = {}

    async def get(self, name: str) -> Rendered | None:
        return self.kept.get(name)

    async def put(self, name: str, rendered: Rendered) -> None:
        self.kept[name] = rendered


def _restarted(
    world: _World, files: _Files, *, version: str = "1", inputs: RenderInputs | None = None
) -> None:
    """Forget everything in memory."""
    cluster = NoCluster() if inputs is None else _Inputs(inputs)
    world.fetcher = Fetcher(
        world.git,
        ManifestCache(limit_bytes=2**20),
        Renderings(
            world.renderer,
            RenderCache(limit_bytes=2**20),
            cluster,
            NoRemotes(),
            NoKeys(),
            kept=files,
            version=version,
        ),
    )


async def test_after_a_restart_nothing_unchanged_is_rendered() -> None:
    """What changed meanwhile is, and so is all after an upgrade of the renderer."""
    world, files = _World(), _Files()
    _restarted(world, files)
    first = await world.sync()
    rendered = len(world.renderer.requests)

    _restarted(world, files)
    assert await world.sync() == first
    assert len(world.renderer.requests) == rendered

    world.git.push({"base/web.yaml": "x"})
    _restarted(world, files)
    await world.sync()
    again = len(world.renderer.requests)
    assert again > rendered

    _restarted(world, files, version="2")
    await world.sync()
    assert len(world.renderer.requests) > again


@pytest.mark.parametrize(
    "inputs",
    [
        RenderInputs(variables={"a": "b"}, private=True),
        RenderInputs(decrypts=True),
        RenderInputs(values={"Secret prod": b"a: b"}),
    ],
)
async def test_what_is_made_with_secrets_is_not_kept_in_files(inputs: RenderInputs) -> None:
    """Plaintext is never on a disk."""
    world, files = _World(), _Files()
    _restarted(world, files, inputs=inputs)

    await world.sync()

    assert world.renderer.requests
    assert files.kept == {}


KEY = VaultKey(id="1", address="https://v.example", mount="transit", name="shop", ciphertext="x")


def _wants_key(request: RenderRequest) -> RenderAnswer:
    if "opened" not in request.options["decryption"]:
        return RenderAnswer(open=(Opening("base/web.yaml", 1, ((KEY,),)),))
    return RenderAnswer(objects=(RenderedObject("base/web.yaml", 0, WEB),))


class _Keys:
    """Opens a key for one namespace with one login."""

    def __init__(self) -> None:
        self.asked: list[KeyUser] = []

    async def open(self, key: WrappedKey, user: KeyUser) -> Secret:
        assert key == KEY
        self.asked.append(user)
        if (user.owner.namespace, user.logins) != ("shop", TOKEN):
            raise StalledError(Problem(code=Code.DECRYPTION_REFUSED, message="No.", hint=""))
        return Secret("data key")


TOKEN = KeyLogins(vault_token=Secret("token"))


@pytest.mark.parametrize("tool", [Tool.KUSTOMIZE, Tool.PLAIN])
async def test_what_was_decrypted_is_for_its_namespace_and_login_only(tool: Tool) -> None:
    """It is kept, so that a service that is down stops nothing; nobody else gets it from what is kept."""
    keys, git = _Keys(), FakeGit(FILES)

    async def render(namespace: str, logins: KeyLogins) -> dict[str, Any]:
        cluster._inputs = RenderInputs(decrypts=True, key_logins=logins)
        source = FilesAt(git, REMOTE, git.commit.id, 5)
        folder = folder_of(spec, source, tool, RepoKey(namespace, "web"))
        if tool is Tool.PLAIN:
            return dict((await found.transformed(folder, spec, {}, {"base/web.yaml": b"encrypted"})).files)
        return dict((await found.files(folder, spec)).files)

    spec, cluster = _spec(), _Inputs(RenderInputs())
    cache = RenderCache(limit_bytes=2**20)
    found = Renderings(FakeRenderer(_wants_key), cache, cluster, NoRemotes(), keys)
    mine = await render("shop", TOKEN)
    assert list(mine) == ["base/web.yaml"]
    assert await render("shop", TOKEN) == mine
    assert len(keys.asked) == 1

    for namespace, logins in (
        ("till", TOKEN),
        ("shop", KeyLogins(vault_token=Secret("other"))),
        ("shop", NO_KEY_LOGINS),
    ):
        with pytest.raises(StalledError, match="NOPEA-R030 base/web"):
            await render(namespace, logins)
    assert len(keys.asked) == 4
    assert b"token" not in repr(list(cache)).encode()


def _substituted(request: RenderRequest) -> RenderAnswer:
    """Answer as the renderer does for plain manifests."""
    return RenderAnswer(objects=tuple(request.documents))


async def test_plain_manifests_with_variables_are_rendered_once() -> None:
    """Until a file or a variable changes; a file that is broken now is told, although no object changed."""
    world = _World(_substituted, **{"plain/web.yaml": WEB.decode()})
    spec: dict[str, Any] = {"path": "plain", "substitute": {"a": "b"}}
    first = await world.sync(**spec)
    assert await world.sync(**spec) == first
    assert len(world.renderer.requests) == 1

    world.git.push({"plain/broken.yaml": "a: [\n"})
    broken = await world.sync(**spec)

    assert [file for file, parsed in broken.files.items() if parsed.problems] == ["plain/broken.yaml"]
    rendered = len(world.renderer.requests)
    await world.sync(**{**spec, "substitute": {"a": "c"}})
    assert len(world.renderer.requests) > rendered


@pytest.mark.parametrize(
    ("path", "outside"), [("deploy", True), ("prod", False), ("./prod/", False), ("", False)]
)
async def test_a_push_outside_of_the_path_may_matter(path: str, outside: bool) -> None:
    """A webhook asks whether the changed files are below spec.path: a chart may be elsewhere."""
    world = _World(
        lambda _: RenderAnswer(objects=(RenderedObject("a", 0, WEB),), read=("prod/kustomization.yaml",))
    )

    snapshot = await world.sync(path=path, helm={"chart": "prod"})

    assert snapshot.has_links is outside


COMPONENT = RemoteItem(RemoteKind.BASE, "https://files.example/component.yaml")


def _with_components(request: RenderRequest) -> RenderAnswer:
    """Answer as the renderer does for manifests with a component beside them, and one elsewhere."""
    if request.tool is Tool.PLAIN:
        return RenderAnswer(objects=tuple(request.documents))
    if COMPONENT.key not in request.remotes:
        return RenderAnswer(need=("other",), fetch=(COMPONENT,))
    return RenderAnswer(objects=tuple(request.documents), read=("other/kustomization.yaml",))


async def test_components_of_plain_manifests_are_followed() -> None:
    """As those of a kustomization: the next poll asks again, and a push outside of the path may matter."""
    world = _World(_with_components, **{"plain/web.yaml": WEB.decode()})
    components = ["../other", COMPONENT.place]

    for _ in range(2):
        snapshot = await world.sync(path="plain", kustomize={"components": components})

        assert (snapshot.follows_remotes, snapshot.has_links) == (True, True)
        assert list(snapshot.files) == ["plain/web.yaml"]

    assert world.remotes.opened[-1] == (COMPONENT, True)
    assert world.remotes.kept[-1] == COMPONENT


async def test_a_chart_with_another_digest_is_not_rendered() -> None:
    """And does not serve while the registry is away: what worked last does."""
    world = _World(lambda _: RenderAnswer(objects=(RenderedObject("a", 0, WEB),)))
    helm = {"chart": "oci://registry.example/web", "version": "1.0.0"}
    found = ChartEntry(source=helm["chart"], version="1.0.0", digest="sha256:1")
    before = ChartEntry(source=helm["chart"], version="1.0.0", digest="sha256:2")

    with pytest.raises(StalledError) as raised:
        await world.sync(chart=before, helm=helm)

    assert raised.value.problems[0].code is Code.REMOTE_CHANGED
    assert (world.renderer.requests, world.remotes.kept) == ([], [])
    assert (await world.sync(chart=found, helm=helm)).chart == found
    assert [item.place for item in world.remotes.kept] == ["oci://registry.example"]
