"""Mirrors on disk: cloned, fetched into, cloned again when damaged, and never half-made under their path."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tests.gitserver import Origin

from nopea.core.git.source import Ref, RefKind
from nopea.git import mirror
from nopea.git.failure import GitFailure
from nopea.git.mirror import MirrorLimits
from nopea.git.protocol import ErrorKind
from nopea.git.remote import Line, RemoteAddress

MAIN = Ref(RefKind.BRANCH, "main")
LIMITS = MirrorLimits(max_packs=50, max_objects=50_000)


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    """A repository with one commit on main."""
    made = Origin(tmp_path / "shop.git")
    made.commit({"web.yaml": "kind: ConfigMap\n"}, message="First\n\nand more")
    return made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the mirror belongs."""
    folder = tmp_path / "cache"
    folder.mkdir()
    return folder / "mirror.git"


def line(origin: Origin) -> Line:
    """Return what a request may use to talk to the repository."""
    address = RemoteAddress(
        url=f"file://{origin.path}",
        username="",
        password=b"",
        token=b"",
        identity=b"",
        identity_password=b"",
        proxy=False,
    )
    return Line(address=address, ends_at=time.monotonic() + 30, max_bytes=1024**3)


def sync(
    path: Path, origin: Origin, ref: Ref = MAIN, *, limits: MirrorLimits = LIMITS, again: bool = False
) -> dict[str, object]:
    """Bring a ref into the mirror."""
    return mirror.sync(path, ref, line(origin), limits, again=again)


def only_the_mirror(path: Path) -> bool:
    """Return whether nothing stands beside the mirror."""
    return [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_the_first_sync_clones_and_says_what_the_commit_is(path: Path, origin: Origin) -> None:
    """The first line of the message, the author, and that something was fetched."""
    found = sync(path, origin)

    assert found["id"] == origin.tip()
    assert (found["message"], found["author"]) == ("First", "Acme Robot <robot@acme.example>")
    assert found["fetched"] is True
    assert only_the_mirror(path)


def test_a_commit_that_is_there_is_not_fetched(path: Path, origin: Origin) -> None:
    """Neither by its branch nor by its id; the id does not even ask the server."""
    sync(path, origin)

    assert sync(path, origin)["fetched"] is False
    commit = origin.tip()
    origin.path.rename(origin.path.with_name("gone.git"))
    assert sync(path, origin, Ref(RefKind.COMMIT, commit))["fetched"] is False


def test_a_new_commit_is_fetched_into_the_same_mirror(path: Path, origin: Origin) -> None:
    """The older one stays readable."""
    first = sync(path, origin)
    inode = path.stat().st_ino
    origin.commit({"web.yaml": "kind: Secret\n"})

    second = sync(path, origin)

    assert (second["id"], second["fetched"]) == (origin.tip(), True)
    assert path.stat().st_ino == inode
    assert sync(path, origin, Ref(RefKind.COMMIT, str(first["id"])))["fetched"] is False


@pytest.mark.parametrize("damage", ["HEAD", "objects"])
def test_a_damaged_mirror_is_cloned_again(path: Path, origin: Origin, damage: str) -> None:
    """Whatever is missing; what is left beside it goes."""
    sync(path, origin)
    if damage == "HEAD":
        (path / "HEAD").unlink()
    else:
        for pack in (path / "objects" / "pack").glob("*"):
            pack.chmod(0o600)
            pack.write_bytes(b"rubbish")

    found = sync(path, origin, again=True)

    assert (found["id"], found["fetched"]) == (origin.tip(), True)
    assert only_the_mirror(path)


def test_a_mirror_with_many_packs_is_cloned_again_with_the_refs_it_had(path: Path, origin: Origin) -> None:
    """libgit2 cannot repack; refs of other GitRepositories on the same URL come along."""
    origin.commit({"a.yaml": "a: 1\n"}, branch="staging", orphan=True)
    sync(path, origin)
    sync(path, origin, Ref(RefKind.BRANCH, "staging"))
    staging = origin.tip("staging")
    origin.commit({"web.yaml": "kind: Secret\n"})

    sync(path, origin, limits=MirrorLimits(max_packs=1, max_objects=50_000))

    assert len(list((path / "objects" / "pack").glob("*.pack"))) == 1
    assert sync(path, origin, Ref(RefKind.COMMIT, staging))["fetched"] is False


def test_what_a_killed_fetch_left_is_removed_by_the_next(path: Path, origin: Origin) -> None:
    """One writer at a time is in a mirror, so a temporary pack belongs to nobody."""
    sync(path, origin)
    leftover = path / "objects" / "pack" / "pack_abc123"
    leftover.write_bytes(b"half")
    origin.commit({"web.yaml": "kind: Secret\n"})

    sync(path, origin)

    assert not leftover.exists()


@pytest.mark.parametrize(
    ("ref", "kind"),
    [
        (Ref(RefKind.BRANCH, "mian"), ErrorKind.REF_MISSING),
        (Ref(RefKind.TAG, "v1"), ErrorKind.REF_MISSING),
        (Ref(RefKind.COMMIT, "c0ffee" + "0" * 34), ErrorKind.REF_MISSING),
    ],
)
def test_a_ref_that_is_missing_leaves_no_mirror(
    path: Path, origin: Origin, ref: Ref, kind: ErrorKind
) -> None:
    """An error that names similar refs, and nothing on disk."""
    with pytest.raises(GitFailure) as failure:
        sync(path, origin, ref)

    assert failure.value.kind is kind
    assert list(path.parent.iterdir()) == []
    if ref.kind is RefKind.BRANCH:
        assert failure.value.facts["similar"] == ["main"]


def test_an_empty_repository_is_its_own_error(path: Path, tmp_path: Path) -> None:
    """Its owner pushes a first commit; there is nothing to correct in the spec."""
    with pytest.raises(GitFailure) as failure:
        sync(path, Origin(tmp_path / "empty.git"))

    assert failure.value.kind is ErrorKind.EMPTY


def test_a_tree_is_not_a_commit(path: Path, origin: Origin) -> None:
    """An id of another kind of object is refused."""
    sync(path, origin)
    tree = origin.git("rev-parse", "main^{tree}")

    with mirror.opened(path) as repository:
        assert repository is not None
        assert not mirror.has_commit(repository, tree)
        with pytest.raises(GitFailure, match="is not a commit"):
            mirror.facts(repository, tree, fetched=False)


def test_what_is_not_a_mirror_is_not_opened(tmp_path: Path) -> None:
    """Missing, or a folder of something else."""
    (tmp_path / "folder").mkdir()
    for name in ("missing", "folder"):
        with mirror.opened(tmp_path / name) as repository:
            assert repository is None
