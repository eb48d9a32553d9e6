"""From a spec to parsed files: which files are selected, parsed and skipped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from tests.fakes.git import FakeGit, blob_of
from tests.fakes.renderer import renderings
from tests.fakes.samples import COMMIT

from nopea.core.api.repository import parse_spec
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.git.source import Ref, RefKind, Remote, Skipped, SkipReason
from nopea.core.manifests import limits
from nopea.core.problem import Code, StalledError
from nopea.reconcile.fetch import PARSE_BATCH, Fetcher, Snapshot
from nopea.state.store import ManifestCache

REMOTE = Remote("https://git.acme.example/shop/api.git")


def _spec(**changes: Any) -> GitRepositorySpec:
    spec = parse_spec({"url": REMOTE.url, "ref": {"branch": "main"}, **changes})
    assert isinstance(spec, GitRepositorySpec)
    return spec


def _config(name: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n"


async def _snapshot(files: Mapping[str, str], *, skipped: Sequence[Skipped] = (), **spec: Any) -> Snapshot:
    fetcher = Fetcher(FakeGit(files, skipped=skipped), ManifestCache(limit_bytes=2**20), renderings())
    return await fetcher.snapshot(_spec(**spec), REMOTE)


async def test_every_manifest_below_the_path_is_read() -> None:
    """Files are listed by their path from the root; other folders and hidden files are ignored."""
    files = {
        "deploy/a.yaml": _config("a"),
        "deploy/b/c.json": '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}',
        "other/d.yaml": _config("d"),
        ".github/e.yaml": _config("e"),
    }

    snapshot = await _snapshot(files, path="deploy/")

    assert snapshot.commit == COMMIT
    assert set(snapshot.files) == {"deploy/a.yaml", "deploy/b/c.json"}
    assert all(len(parsed.documents) == 1 for parsed in snapshot.files.values())
    assert snapshot.problems == ()


async def test_excluded_files_are_not_parsed() -> None:
    """Files are excluded by spec.exclude, relative to the path, and by .nopeaignore."""
    files = {
        "deploy/a.yaml": _config("a"), "deploy/kustomization.yaml": "resources: []\n",
        "deploy/draft/b.yaml": "not: [closed", "deploy/.nopeaignore": "draft/\n",
    }  # fmt: skip
    git = FakeGit(files)

    snapshot = await Fetcher(git, ManifestCache(limit_bytes=2**20), renderings()).snapshot(
        _spec(path="deploy", exclude=["/kustomization.yaml"]), REMOTE
    )

    assert set(snapshot.files) == {"deploy/a.yaml"}
    assert git.parsed == [[blob_of(_config("a"))]]
    assert git.read_blobs == [blob_of("draft/\n")]


async def test_a_commit_that_touches_one_file_parses_one_file() -> None:
    """The other files are cached by blob; a fetch without changes parses nothing."""
    git = FakeGit({f"{number}.yaml": _config(f"c{number}") for number in range(5)})
    fetcher = Fetcher(git, ManifestCache(limit_bytes=2**20), renderings())
    await fetcher.snapshot(_spec(), REMOTE)
    git.parsed.clear()

    git.files["3.yaml"] = _config("new")
    snapshot = await fetcher.snapshot(_spec(), REMOTE)
    await fetcher.snapshot(_spec(), REMOTE)

    assert git.parsed == [[blob_of(_config("new"))]]
    assert len(snapshot.files) == 5


async def test_equal_files_are_parsed_once() -> None:
    """The parsed file is shared by paths and by repositories."""
    git = FakeGit({"a.yaml": _config("x"), "b.yaml": _config("x")})
    manifests = ManifestCache(limit_bytes=2**20)

    snapshot = await Fetcher(git, manifests, renderings()).snapshot(_spec(), REMOTE)
    await Fetcher(git, manifests, renderings()).snapshot(_spec(), Remote("https://git.acme.example/copy.git"))

    assert len(git.parsed) == 1
    assert snapshot.files["a.yaml"] == snapshot.files["b.yaml"]


async def test_many_files_are_parsed_in_batches() -> None:
    """A slow file delays only its batch; all files are returned even if the cache holds only a few."""
    git = FakeGit({f"{number:03}.yaml": _config(f"c{number}") for number in range(2 * PARSE_BATCH + 1)})

    snapshot = await Fetcher(git, ManifestCache(limit_bytes=2000), renderings()).snapshot(_spec(), REMOTE)

    assert [len(batch) for batch in git.parsed] == [PARSE_BATCH, PARSE_BATCH, 1]
    assert set(snapshot.files) == set(git.files)
    assert all(parsed.documents for parsed in snapshot.files.values())


@pytest.mark.parametrize(
    ("files", "spec", "where"),
    [
        ({}, {}, "The repository"),
        ({"README.md": "x"}, {}, "The repository"),
        ({"a.yaml": _config("a")}, {"path": "deploy"}, "The folder deploy"),
        ({"a.yaml": _config("a")}, {"exclude": ["*.yaml"]}, "The repository"),
    ],
)
async def test_no_manifest_at_all_is_a_problem(
    files: dict[str, str], spec: dict[str, Any], where: str
) -> None:
    """Otherwise a typing error in the path would cause all objects to be pruned."""
    snapshot = await _snapshot(files, **spec)

    assert snapshot.files == {}
    assert [(problem.code, problem.message.startswith(where)) for problem in snapshot.problems] == [
        (Code.NO_MANIFESTS, True)
    ]


async def test_what_cannot_be_read_is_a_problem_unless_it_is_excluded() -> None:
    """The problem is the snapshot's, so nothing is pruned; the files that can be read are there."""
    skipped = [Skipped("link", SkipReason.OUTSIDE, "/etc"), Skipped("old", SkipReason.SUBMODULE)]

    snapshot = await _snapshot({"a.yaml": _config("a")}, skipped=skipped, exclude=["old"])

    assert [(problem.code, problem.source) for problem in snapshot.problems] == [(Code.SYMLINK, "link")]
    assert set(snapshot.files) == {"a.yaml"}


@pytest.mark.parametrize("has_links", [True, False])
async def test_a_snapshot_says_whether_there_are_links(has_links: bool) -> None:
    """Then a push to another folder concerns it too."""
    git = FakeGit({"a.yaml": _config("a")})
    git.has_links = has_links

    snapshot = await Fetcher(git, ManifestCache(limit_bytes=2**20), renderings()).snapshot(_spec(), REMOTE)

    assert snapshot.has_links is has_links


async def test_without_a_renderer_a_folder_of_kustomize_is_refused_before_anything_is_parsed() -> None:
    """The caller keeps the last good commit; exclude the file, and the others are manifests."""
    git = FakeGit({"deploy/Kustomization": "resources: []\n", "deploy/a.yaml": _config("a")})
    fetcher = Fetcher(git, ManifestCache(limit_bytes=2**20), renderings())

    with pytest.raises(StalledError) as refused:
        await fetcher.snapshot(_spec(path="deploy"), REMOTE)

    assert [(each.code, each.source) for each in refused.value.problems] == [
        (Code.RENDERER_MISSING, "deploy")
    ]
    assert git.parsed == []
    plain = await fetcher.snapshot(_spec(path="deploy", exclude=["Kustomization"]), REMOTE)
    assert (set(plain.files), plain.problems) == ({"deploy/a.yaml"}, ())


async def test_a_broken_file_keeps_its_problem() -> None:
    """The problem belongs to the file, not to the selection of files."""
    snapshot = await _snapshot({"a.yaml": "a: [", "b.yaml": _config("b")})

    assert snapshot.problems == ()
    assert [problem.code for problem in snapshot.files["a.yaml"].problems] == [Code.YAML_SYNTAX]


async def test_git_is_asked_for_the_ref_of_the_spec() -> None:
    """Every Git operation has the timeout of the spec."""
    git = FakeGit({"a.yaml": _config("a"), ".nopeaignore": "x\n"})
    fetcher = Fetcher(git, ManifestCache(limit_bytes=2**20), renderings())
    spec = _spec(ref={"tag": "v1"}, timeout="1m30s")

    assert await fetcher.newest(spec, REMOTE) == COMMIT.id
    await fetcher.snapshot(spec, REMOTE)

    assert git.refs == [Ref(RefKind.TAG, "v1")] * 2
    assert git.timeouts == {90.0}


async def test_files_that_are_too_big_are_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their sizes are in the listing: nothing is read of them, and the GitRepository is stalled."""
    monkeypatch.setattr(limits, "MAX_BYTES", 100)
    git = FakeGit({f"{number}.yaml": _config("c" * 50) for number in range(2)})

    with pytest.raises(StalledError, match="Its manifest files have"):
        await Fetcher(git, ManifestCache(limit_bytes=2**20), renderings()).snapshot(_spec(), REMOTE)

    assert git.parsed == []


async def test_parsing_ends_when_the_objects_are_too_big(monkeypatch: pytest.MonkeyPatch) -> None:
    """Aliases make objects of some files much bigger than the files: the others are not parsed."""
    aliases = "".join(f"  k{number}: *long\n" for number in range(20))
    files = {
        f"{number}.yaml": f"{_config(f'c{number}')}data:\n  long: &long {'x' * 200}\n{aliases}"
        for number in range(4 * PARSE_BATCH)
    }
    monkeypatch.setattr(limits, "MAX_BYTES", sum(map(len, files.values())))
    git = FakeGit(files)

    with pytest.raises(StalledError, match="Its objects have"):
        await Fetcher(git, ManifestCache(limit_bytes=2**20), renderings()).snapshot(_spec(), REMOTE)

    assert 0 < len(git.parsed) < 4


async def test_ignore_files_that_are_too_big_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Together they have a limit of their own."""
    monkeypatch.setattr(limits, "MAX_IGNORE_BYTES", 10)
    git = FakeGit({"a.yaml": _config("a"), ".nopeaignore": "# a long comment\n"})

    with pytest.raises(StalledError, match=r"Its \.nopeaignore files have 17 bytes"):
        await Fetcher(git, ManifestCache(limit_bytes=2**20), renderings()).snapshot(_spec(), REMOTE)

    assert git.read_blobs == []
