"""Mirrors on disk: they are cloned, fetched into, and cloned again if damaged or grown; never partial."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.git import faulty
from tests.git.conftest import FILES, MAIN
from tests.git.faulty import FaultyServer
from tests.gitserver import GitServer, Origin

from nopea.core.git.source import Ref, RefKind
from nopea.git import mirror
from nopea.git.failure import GitFailure
from nopea.git.folder import occupied
from nopea.git.mirror import MirrorLimits, has_commit, opened, resolve
from nopea.git.protocol import ErrorKind
from nopea.git.remote import Line, RemoteAddress, create_repository

LIMITS = MirrorLimits(max_bytes=10**9, max_packs=50, max_objects=50_000)
STAGING = Ref(RefKind.BRANCH, "staging")
GET, POST = "shop.git git-upload-pack GET", "shop.git git-upload-pack POST"


def commit_ref(commit: str) -> Ref:
    """Return the ref of a commit by its id."""
    return Ref(RefKind.COMMIT, commit)


class Mirror:
    """One mirror of one server's repository."""

    def __init__(self, path: Path, url: str) -> None:
        self.path = path
        self.url = url

    def line(self) -> Line:
        """Return the address and the limits of a request."""
        empty = dict.fromkeys(("password", "token", "identity", "identity_password"), b"")
        address = RemoteAddress.parse(
            {"url": self.url, "username": "", "proxy": "", "has_own_proxy": False, **empty}
        )
        return Line(address=address, ends_at=time.monotonic() + 30, max_bytes=10**8)

    def sync(self, ref: Ref = MAIN, *, limits: MirrorLimits = LIMITS, again: bool = False) -> dict[str, Any]:
        """Fetch a ref's commit into the mirror."""
        return mirror.sync(self.path, ref, self.line(), limits, again=again)

    def failure(self, ref: Ref = MAIN, **options: Any) -> GitFailure:
        """Sync, expect a failure, and return it."""
        with pytest.raises(GitFailure) as failure:
            self.sync(ref, **options)
        return failure.value

    def refs(self) -> list[str]:
        """Return the names of its refs."""
        with opened(self.path) as repository:
            assert repository is not None
            return sorted(repository.references)

    def has(self, commit: str) -> bool:
        """Return whether the mirror has a commit."""
        with opened(self.path) as repository:
            assert repository is not None
            return has_commit(repository, commit)

    def is_shallow(self) -> bool:
        """Return whether the mirror is shallow."""
        with opened(self.path) as repository:
            assert repository is not None
            return repository.is_shallow

    def packs(self) -> list[Path]:
        """Return its pack files."""
        return list((self.path / "objects" / "pack").glob("*.pack"))


@pytest.fixture
def shop(tmp_path: Path, server: GitServer) -> Iterator[Mirror]:
    """A mirror of `shop.git`; at the end of the test, its folder must contain nothing else."""
    folder = tmp_path / "mirrors"
    folder.mkdir()
    yield Mirror(folder / "shop.git", server.url("shop.git"))
    assert {path.name for path in folder.iterdir()} <= {"shop.git"}


def test_a_first_sync_clones_the_wanted_ref(shop: Mirror, origin: Origin) -> None:
    """The first sync creates a bare repository with one branch, and returns the commit's facts."""
    origin.commit({"a.yaml": "a: 1\n"}, branch="staging")

    facts = shop.sync()

    assert facts == {
        "id": origin.tip(), "author": "Acme Robot <robot@acme.example>", "message": "Change",
        "time": facts["time"], "ref": "refs/heads/main", "fetched": True,
    }  # fmt: skip
    assert shop.refs() == ["refs/heads/main"]
    assert not (shop.path / ".git").exists()


def test_a_commit_that_is_present_is_not_fetched(shop: Mirror, server: GitServer, origin: Origin) -> None:
    """A known branch only needs a request for the refs; a known commit id needs no request."""
    shop.sync()

    assert shop.sync()["fetched"] is False
    assert server.requests == {GET: 2, POST: 1}
    assert shop.sync(commit_ref(origin.tip()))["fetched"] is False
    assert server.requests == {GET: 2, POST: 1}


def test_a_new_commit_is_fetched_into_the_mirror(shop: Mirror, origin: Origin) -> None:
    """Commits and refs of earlier fetches stay, because other repositories may read them."""
    first = shop.sync()["id"]
    place = shop.path.stat().st_ino
    staging = origin.commit({"a.yaml": "a: 1\n"}, branch="staging")
    second = origin.commit({"b.yaml": "b: 1\n"}, orphan=True)

    assert shop.sync(STAGING)["id"] == staging
    assert shop.sync() == {**shop.sync(), "id": second, "fetched": True}
    assert all(shop.has(commit) for commit in (first, staging, second))
    assert shop.path.stat().st_ino == place
    assert shop.refs() == ["refs/heads/main", "refs/heads/staging"]


@pytest.mark.parametrize("victim", ["HEAD", "pack", "all of it"])
def test_a_mirror_that_cannot_be_opened_or_read_is_cloned_again(
    shop: Mirror, origin: Origin, victim: str
) -> None:
    """A missing HEAD is repaired in the same sync; a damaged pack fails until a sync with `again`."""
    shop.sync()
    if victim == "HEAD":
        (shop.path / "HEAD").unlink()
    elif victim == "all of it":
        shutil.rmtree(shop.path)
    else:
        (pack,) = shop.packs()
        pack.chmod(0o644)
        pack.write_bytes(b"garbage")
        assert shop.failure().kind is ErrorKind.MIRROR

    assert shop.sync(again=victim == "pack") == {**shop.sync(), "fetched": True}
    assert shop.has(origin.tip())


def test_cloning_again_keeps_the_refs(shop: Mirror, origin: Origin) -> None:
    """A new clone has all refs of the old mirror that the server still has."""
    staging = origin.commit({"a.yaml": "a: 1\n"}, branch="staging")
    origin.commit({"a.yaml": "a: 2\n"}, branch="gone")
    shop.sync()
    shop.sync(STAGING)
    shop.sync(Ref(RefKind.BRANCH, "gone"))
    origin.git("update-ref", "-d", "refs/heads/gone")

    assert shop.sync(again=True)["fetched"] is True

    assert shop.refs() == ["refs/heads/main", "refs/heads/staging"]
    assert shop.has(staging)


def test_a_mirror_with_too_many_packs_is_cloned_again(shop: Mirror, origin: Origin) -> None:
    """Each fetch adds a pack, and libgit2 cannot repack; above the limit, the mirror is cloned again."""
    limits = MirrorLimits(max_bytes=10**9, max_packs=3, max_objects=50_000)
    for number in range(4):
        origin.commit({"a.yaml": f"a: {number}\n"})
        shop.sync(limits=limits)

    assert len(shop.packs()) == 1
    assert shop.has(origin.tip())


def test_a_long_history_is_fetched_shallow(shop: Mirror, origin: Origin) -> None:
    """Above the limit of objects, a mirror is shallow, and it stays shallow after the next fetch."""
    old = origin.tip()
    for number in range(5):
        origin.commit({"a.yaml": f"a: {number}\n"})
    limits = MirrorLimits(max_bytes=10**9, max_packs=50, max_objects=10)

    assert shop.sync(limits=limits)["id"] == origin.tip()
    assert shop.is_shallow()
    assert not shop.has(old)

    origin.commit({"a.yaml": "a: new\n"})
    assert shop.sync(limits=limits)["id"] == origin.tip()
    assert shop.is_shallow()
    assert not shop.has(old)


@pytest.mark.parametrize("serves_ids", [True, False])
def test_an_old_commit_is_fetched_by_its_id(shop: Mirror, origin: Origin, serves_ids: bool) -> None:
    """If the server does not serve commit ids, the whole history is fetched to find the commit."""
    old = origin.tip()
    origin.commit({"a.yaml": "a: 1\n"})
    origin.git("config", "uploadpack.allowAnySHA1InWant", str(serves_ids).lower())

    assert shop.sync(commit_ref(old))["id"] == old


def test_a_shallow_mirror_fetches_an_old_commit_by_its_id(shop: Mirror, origin: Origin) -> None:
    """A pinned commit that is older than the shallow history is fetched."""
    old = origin.tip()
    for number in range(5):
        origin.commit({"a.yaml": f"a: {number}\n"})
    shop.sync(limits=MirrorLimits(max_bytes=10**9, max_packs=50, max_objects=10))
    assert not shop.has(old)

    assert shop.sync(commit_ref(old))["id"] == old


def test_an_unknown_commit_is_missing(shop: Mirror) -> None:
    """An unknown commit id is reported as missing, in a new mirror and in an existing one."""
    assert shop.failure(commit_ref("b" * 40)).kind is ErrorKind.REF_MISSING
    shop.sync()
    assert shop.failure(commit_ref("b" * 40)).kind is ErrorKind.REF_MISSING


def test_a_missing_ref_names_similar_ones(shop: Mirror, origin: Origin) -> None:
    """A missing branch is reported with similar names, and an invalid range is quoted."""
    failure = shop.failure(Ref(RefKind.BRANCH, "mian"))
    assert (failure.kind, failure.facts) == (ErrorKind.REF_MISSING, {"similar": ["main"]})

    assert "newest" in shop.failure(Ref(RefKind.SEMVER, "newest")).message
    origin.tag("v1.2.0", origin.tip(), annotated=True)
    assert shop.sync(Ref(RefKind.SEMVER, "1.x"))["id"] == origin.tip()


def test_an_empty_repository_is_reported(shop: Mirror, root: Path, server: GitServer) -> None:
    """An empty repository is reported, and no mirror is created."""
    Origin(root / "empty.git")
    shop.url = server.url("empty.git")

    assert shop.failure().kind is ErrorKind.EMPTY
    assert not shop.path.exists()


def test_a_failed_clone_leaves_the_old_mirror(shop: Mirror, origin: Origin) -> None:
    """A mirror is replaced only after the new clone is complete."""
    shop.sync()
    with FaultyServer(faulty.packing(faulty.cut_in_pack)) as cutting:
        shop.url = cutting.url()
        assert shop.failure(again=True).kind is ErrorKind.UNREACHABLE

    assert shop.has(origin.tip())


def test_damaged_data_is_a_fault_of_the_server(shop: Mirror) -> None:
    """Damaged data from the server is not reported as a damaged mirror, which would be cloned repeatedly."""
    with FaultyServer(faulty.packing(faulty.garbage_pack)) as lying:
        shop.url = lying.url()
        assert shop.failure().kind is ErrorKind.PROTOCOL

    assert not shop.path.exists()


@pytest.mark.parametrize(
    "name", ["objects/pack/pack_1a2b3c", "refs/heads/main.lock", "shallow.lock", "packed-refs.lock"]
)
def test_a_fetch_removes_what_a_killed_one_left(shop: Mirror, origin: Origin, name: str) -> None:
    """Half a pack would fill the disk, and a lock would fail each first try."""
    shop.sync()
    left = shop.path / name
    left.write_bytes(b"half")
    newer = origin.commit({"a.yaml": "a: 1\n"})

    assert shop.sync()["id"] == newer
    assert not left.exists()


def test_a_mirror_that_has_grown_too_big_is_cloned_again(shop: Mirror, origin: Origin) -> None:
    """What was deleted upstream goes with the old mirror."""
    limits = MirrorLimits(max_bytes=10**6, max_packs=50, max_objects=50_000)
    for number in range(4):
        origin.commit({"a.yaml": f"a: {number}\n", "big": os.urandom(400_000)}, orphan=True)
        shop.sync(limits=limits)

    assert occupied(shop.path) < 1_500_000
    assert shop.has(origin.tip())


def test_a_local_folder_is_mirrored_with_its_history(shop: Mirror, origin: Origin) -> None:
    """libgit2 cannot fetch a local folder with a depth or by an id, so the mirror has the whole history."""
    old = origin.tip()
    origin.commit(FILES | {"a.yaml": "a: 1\n"})
    shop.url = f"file://{origin.path}"

    assert shop.sync(limits=MirrorLimits(max_bytes=10**9, max_packs=50, max_objects=1))["id"] == origin.tip()
    assert not shop.is_shallow()
    assert shop.sync(commit_ref(old))["id"] == old


def test_resolving_a_ref_fetches_nothing(shop: Mirror, origin: Origin, tmp_path: Path) -> None:
    """Resolving a ref asks the server only: nothing is fetched."""
    create_repository(tmp_path / "scratch")
    with opened(tmp_path / "scratch") as repository:
        assert repository is not None
        assert resolve(shop.line().talk(repository), MAIN) == origin.tip()
        assert list(repository.references) == []


def test_only_a_commit_with_its_tree_is_present(shop: Mirror, origin: Origin) -> None:
    """A blob, an unknown id and nonsense are not commits."""
    shop.sync()
    blob = origin.git("rev-parse", "main:deploy/api.yaml")

    assert [shop.has(name) for name in (origin.tip(), blob, "b" * 40, "nonsense!")] == [
        True,
        False,
        False,
        False,
    ]


def test_a_commits_facts_are_short(shop: Mirror, origin: Origin) -> None:
    """The message is its first line, limited to 200 characters; a blob has no facts."""
    origin.commit({"a.yaml": ""}, message="x" * 300 + "\nsecond line")

    assert shop.sync()["message"] == "x" * 200
    blob = origin.git("rev-parse", "main:a.yaml")
    with opened(shop.path) as repository:
        assert repository is not None
        with pytest.raises(GitFailure) as failure:
            mirror.facts(repository, blob, fetched=False)
    assert failure.value.kind is ErrorKind.REF_MISSING


@pytest.mark.parametrize("name", ["nothing", "folder", "file"])
def test_what_is_not_a_mirror_is_not_opened(tmp_path: Path, name: str) -> None:
    """A missing path, another folder and a file are not opened as a mirror."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")

    with opened(tmp_path / name) as repository:
        assert repository is None
