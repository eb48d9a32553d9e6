"""What lies elsewhere is opened when it may be asked for, and is one tree with the repository."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.fakes.samples import NOW

from nopea.core.api.tenancy import TenancyPolicy
from nopea.core.downloads.items import RemoteItem, RemoteKind
from nopea.core.git.source import Commit, FileEntry, PathListing, Ref, RefKind, Remote
from nopea.core.objects import RepoKey
from nopea.core.problem import Code, Problem, StalledError, SyncError, TransientError
from nopea.downloads.port import On, Resolved
from nopea.reconcile.remotes import Remotes, Tree

CHART = RemoteItem(RemoteKind.CHART, "oci://r.example/charts", "web", "^1", source="spec.helm.chart")
LOCKED = RemoteItem(RemoteKind.CHART, "https://c.example", "db", "1.0.0", is_locked=True)
BASE = RemoteItem(RemoteKind.BASE, "https://git.example/a.git//base?ref=v1", source="kustomization.yaml:3")
ON = On(owner=RepoKey("shop", "shop"), timeout_seconds=5)
OPEN = TenancyPolicy(remote_bases=("*.example",))


class Servers:
    """A registry and a Git server: counts what is asked, answers with the present digest or commit."""

    def __init__(self) -> None:
        self.asked: list[object] = []
        self.digest = "sha256:1"
        self.tags = {"v1": "c1"}

    async def resolve(self, item: RemoteItem, on: On) -> Resolved:
        del on
        self.asked.append(item)
        return Resolved(item=item, version="1.2.0", digest=self.digest, url="", content_digest=self.digest)

    async def content(self, resolved: Resolved, on: On) -> bytes:
        del on
        return resolved.digest.encode()

    async def sync(self, remote: Remote, ref: Ref, *, timeout_seconds: float) -> Commit:
        del timeout_seconds
        self.asked.append(ref)
        if ref.kind is RefKind.TAG and ref.value not in self.tags:
            raise StalledError(Problem(code=Code.GIT_REF_NOT_FOUND, message="No tag.", hint=""))
        if remote.url.startswith("https://down"):
            raise TransientError(Problem(code=Code.GIT_UNREACHABLE, message="Down.", hint=""))
        id_ = ref.value if ref.kind is RefKind.COMMIT else self.tags.get(ref.value, "main")
        return Commit(id=id_, author="", message="", committed_at=NOW)

    async def paths(
        self, remote: Remote, commit: str, paths: Sequence[str], *, timeout_seconds: float
    ) -> PathListing:
        del remote, timeout_seconds
        files = tuple(FileEntry(f"{path}/web.yaml", f"blob-{commit}", 3) for path in paths)
        return PathListing(files=files, folders=tuple(paths))

    async def read(
        self, remote: Remote, commit: str, blobs: Sequence[str], *, timeout_seconds: float
    ) -> dict[str, bytes]:
        del remote, commit, timeout_seconds
        return {blob: blob.encode() for blob in blobs}


class Own:
    """The files of the repository itself."""

    async def paths(self, paths: Sequence[str]) -> PathListing:
        return PathListing(files=tuple(FileEntry(path, f"own-{path}", 1) for path in paths))

    async def read(self, blobs: Sequence[str]) -> dict[str, bytes]:
        return dict.fromkeys(blobs, b"own")


@pytest.fixture
def servers() -> Servers:
    """What lies elsewhere."""
    return Servers()


@pytest.fixture
def remotes(servers: Servers) -> Remotes:
    """What opens it."""
    return Remotes(servers, servers, OPEN)


async def test_a_drift_asks_no_server(remotes: Remotes, servers: Servers) -> None:
    """Only a fresh look resolves again; before the first one there is nothing else."""
    first = await remotes.open(CHART, ON, fresh=False)
    remotes.keep(first, ON)
    servers.digest = "sha256:2"

    assert await remotes.open(CHART, ON, fresh=False) is first
    again = await remotes.open(CHART, ON, fresh=True)

    assert len(servers.asked) == 2
    assert again.resolved is not None
    assert again.resolved.digest == "sha256:2"
    assert again.shown == "oci://r.example/charts/web:1.2.0"


async def test_what_is_pinned_is_opened_once(remotes: Remotes, servers: Servers) -> None:
    """A version of Chart.lock, and a commit."""
    commit = RemoteItem(RemoteKind.BASE, f"https://git.example/a.git//base?ref={'c' * 40}")
    for item in (LOCKED, commit):
        opened = await remotes.open(item, ON, fresh=True)
        remotes.keep(opened, ON)
        assert await remotes.open(item, ON, fresh=True) is opened

    assert len(servers.asked) == 2


async def test_what_did_not_render_does_not_serve(remotes: Remotes, servers: Servers) -> None:
    """What was opened after it, and is not kept, may be broken."""
    good = await remotes.open(CHART, ON, fresh=True)
    remotes.keep(good, ON)
    servers.digest = "sha256:broken"

    broken = await remotes.open(CHART, ON, fresh=True)

    assert broken is not good
    assert await remotes.open(CHART, ON, fresh=False) is good


async def test_another_repository_does_not_get_what_one_opened(remotes: Remotes, servers: Servers) -> None:
    """It may have no login."""
    other = On(owner=RepoKey("evil", "shop"), timeout_seconds=5)
    opened = await remotes.open(CHART, ON, fresh=False)
    remotes.keep(opened, ON)

    assert await remotes.open(CHART, other, fresh=False) is not opened
    assert len(servers.asked) == 2


async def test_a_ref_is_a_tag_or_a_branch(remotes: Remotes, servers: Servers) -> None:
    """A tag before a branch; an error that is another one is told at once."""
    opened = await remotes.open(BASE, ON, fresh=True)
    branch = await remotes.open(
        RemoteItem(RemoteKind.BASE, "https://git.example/a.git//base?ref=dev"), ON, fresh=True
    )

    assert opened.shown == "https://git.example/a.git@v1"
    assert [str(ref) for ref in servers.asked] == ["tag v1", "tag dev", "branch dev"]
    assert branch.shown == "https://git.example/a.git@dev"
    with pytest.raises(TransientError):
        await remotes.open(RemoteItem(RemoteKind.BASE, "https://down.example/a.git?ref=v1"), ON, fresh=True)


async def test_an_error_names_the_reference(servers: Servers) -> None:
    """And a host that is not allowed is not asked."""
    remotes = Remotes(servers, servers, TenancyPolicy(allowed_hosts=("git.example",)))
    for item, code in ((BASE, Code.REMOTE_BASE), (CHART, Code.NOT_ALLOWED), (LOCKED, Code.NOT_ALLOWED)):
        with pytest.raises(SyncError) as raised:
            await remotes.open(item, ON, fresh=True)
        (problem,) = raised.value.problems
        assert problem.code is code
        assert problem.source == item.source

    assert not servers.asked


@pytest.mark.parametrize("text", ["ssh://git@git.example/a.git//base", "git@git.example:a.git//base"])
async def test_a_base_by_ssh_is_refused(remotes: Remotes, servers: Servers, text: str) -> None:
    """It would need a login, and whose that is cannot be said."""
    with pytest.raises(StalledError, match="without credentials"):
        await remotes.open(RemoteItem(RemoteKind.BASE, text), ON, fresh=True)

    assert not servers.asked


async def test_a_tree_has_all_files(remotes: Remotes) -> None:
    """Listed in order, read where they are, named in words."""
    tree = Tree(Own())
    chart = await remotes.open(CHART, ON, fresh=True)
    base = await remotes.open(BASE, ON, fresh=True)
    tree.add(chart)
    tree.add(base)

    listing = await tree.paths([base.path, "own.yaml", chart.path, f"{CHART.folder}/other"])

    assert [entry.path for entry in listing.files] == sorted(
        [f"{base.path}/web.yaml", "own.yaml", chart.path]
    )
    assert listing.missing == (f"{CHART.folder}/other",)
    contents = await tree.read([entry.blob for entry in listing.files])
    assert set(contents.values()) == {b"blob-c1", b"own", b"sha256:1"}
    assert tree.in_words(f"{base.path}/web.yaml:3") == "https://git.example/a.git@v1/base/web.yaml:3"
    assert tree.in_words(f"{chart.path}/templates/a.yaml") == f"{chart.shown}/templates/a.yaml"
    assert tree.in_words("own.yaml") == "own.yaml"
