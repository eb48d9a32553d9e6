"""Reading a commit in a bare mirror: which files are listed, through links too, and hostile trees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pygit2
import pytest
from tests.gitserver import Origin

from nopea.core.manifests.file import parse_file
from nopea.git import tree
from nopea.git.failure import GitFailure
from nopea.git.protocol import ANSWER_BYTES, ErrorKind

FILES = {
    "README.md": "no",
    "root.yml": "a: 1\n",
    "deploy/web.yaml": "kind: ConfigMap\n",
    "deploy/data.JSON": "{}",
    "deploy/.nopeaignore": "*.md\n",
    "deploy/link.yaml": "web.yaml",
    "deploy/sub": "1" * 40,
}
MODES = {"deploy/link.yaml": "120000", "deploy/sub": "160000"}


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    """Return a repository with manifests, a symlink and a submodule."""
    made = Origin(tmp_path / "shop.git")
    made.commit(FILES, modes=MODES)
    return made


@pytest.fixture
def repository(origin: Origin) -> Iterator[pygit2.Repository]:
    """Yield the repository opened with pygit2."""
    opened = pygit2.Repository(str(origin.path))
    yield opened
    opened.free()


def test_manifest_and_ignore_files_are_listed_in_order(repository: pygit2.Repository, origin: Origin) -> None:
    """Suffixes match in any case; a link is listed with its own path; a submodule is reported."""
    found = tree.files(repository, origin.tip(), "")

    assert [(path, size) for path, _, size in found["files"]] == [
        ("deploy/.nopeaignore", 5),
        ("deploy/data.JSON", 2),
        ("deploy/link.yaml", 16),
        ("deploy/web.yaml", 16),
        ("root.yml", 5),
    ]
    assert found["skipped"] == [("deploy/sub", "submodule", "")]


@pytest.mark.parametrize("subpath", ["deploy", "deploy/", "./deploy", "/deploy"])
def test_a_folder_is_found_in_any_spelling(
    repository: pygit2.Repository, origin: Origin, subpath: str
) -> None:
    """Paths remain relative to the root of the repository."""
    found = tree.files(repository, origin.tip(), subpath)

    assert [path for path, _, _ in found["files"]][-1] == "deploy/web.yaml"


@pytest.mark.parametrize(
    "subpath", ["deplyo", "deploy/web.yaml", "..", "deploy/../deploy", "deploy/link.yaml"]
)
def test_a_missing_folder_is_an_error_with_the_existing_ones(
    repository: pygit2.Repository, origin: Origin, subpath: str
) -> None:
    """A file, a link to a file and `..` are not folders."""
    with pytest.raises(GitFailure) as failure:
        tree.files(repository, origin.tip(), subpath)

    assert failure.value.kind is ErrorKind.PATH_MISSING
    if subpath == "deplyo":
        assert failure.value.message == "there is no folder deplyo"
        assert failure.value.facts["folders"] == ["deploy"]


LINKED = {
    "base/a.yaml": "a: 1\n",
    "base/notes.txt": "x",
    "base/deep/b.yml": "b: 1\n",
    "shared/ignore": "b.yml\n",
    "shared/text": "c: 1\n",
    "apps/base": "../base",
    "apps/.nopeaignore": "../shared/ignore",
    "apps/c.yaml": "../shared/text",
    "apps/README.md": "../base/notes.txt",
    "apps/.cache": "/var/cache",
    "prod": "apps",
}
LINKS = ("apps/base", "apps/.nopeaignore", "apps/c.yaml", "apps/README.md", "apps/.cache", "prod")


def _listing(
    tmp_path: Path,
    files: dict[str, str],
    *,
    links: Sequence[str] = (),
    modules: Sequence[str] = (),
    at: str = "",
) -> dict[str, Any]:
    origin = Origin(tmp_path / "listed.git")
    commit = origin.commit(
        files, modes={**dict.fromkeys(links, "120000"), **dict.fromkeys(modules, "160000")}
    )
    return tree.files(pygit2.Repository(str(origin.path)), commit, at)


@pytest.mark.parametrize("at", ["apps", "prod"])
def test_links_to_files_and_folders_are_followed(tmp_path: Path, at: str) -> None:
    """Files are named by the path through the links, as a checkout shows them; hidden links do not count."""
    found = _listing(tmp_path, LINKED, links=LINKS, at=at)

    assert [(path, size) for path, _, size in found["files"]] == [
        (f"{at}/.nopeaignore", 6),
        (f"{at}/base/a.yaml", 5),
        (f"{at}/base/deep/b.yml", 5),
        (f"{at}/c.yaml", 5),
    ]
    assert found["skipped"] == []


def test_a_file_at_two_paths_is_listed_twice(tmp_path: Path) -> None:
    """So it counts twice where the parent compares with limits."""
    found = _listing(tmp_path, {"base/a.yaml": "a: 1\n", "one": "base", "two": "base"}, links=("one", "two"))

    assert [path for path, _, _ in found["files"]] == ["base/a.yaml", "one/a.yaml", "two/a.yaml"]
    assert len({blob for _, blob, _ in found["files"]}) == 1


@pytest.mark.parametrize(
    ("links", "skipped"),
    [
        ({"apps/self": "."}, [("apps/self", "loop", "apps")]),
        ({"apps/up": ".."}, [("apps/up", "loop", ".")]),
        ({"apps/deep/up": "../../apps"}, [("apps/deep/up", "loop", "apps")]),
        (
            {"apps/other": "../other", "other/apps": "../apps"},
            [("apps/other/apps", "loop", "apps")],
        ),
        ({"apps/x": "y", "apps/y": "x"}, [("apps/x", "loop", "y"), ("apps/y", "loop", "x")]),
        ({"apps/out": "../../x"}, [("apps/out", "outside", "../../x")]),
        ({"apps/etc": "/etc"}, [("apps/etc", "outside", "/etc")]),
        ({"apps/gone": "../gone"}, [("apps/gone", "not there", "../gone")]),
        ({"apps/.nopeaignore": "gone"}, [("apps/.nopeaignore", "not there", "gone")]),
    ],
)
def test_a_link_that_cannot_be_followed_is_reported(
    tmp_path: Path, links: dict[str, str], skipped: list[tuple[str, str, str]]
) -> None:
    """A loop ends where it closes; the other files are listed."""
    found = _listing(tmp_path, {"apps/a.yaml": "a: 1\n", **links}, links=tuple(links), at="apps")

    assert [path for path, _, _ in found["files"]] == ["apps/a.yaml"]
    assert found["skipped"] == skipped


def test_what_is_named_like_a_file_and_is_none_is_reported(tmp_path: Path) -> None:
    """A folder with a manifest's name, a link to one, and submodules; the files in the folders are listed."""
    files = {
        "a.yaml/b.yaml": "b: 1\n", ".nopeaignore/x": "", "base/c.yaml": "c: 1\n", "d.json": "base",
        "e.yaml": "1" * 40, "base/module": "1" * 40, "base/.module": "1" * 40, "Kustomization/x": "",
    }  # fmt: skip

    found = _listing(tmp_path, files, links=["d.json"], modules=["e.yaml", "base/module", "base/.module"])

    assert [path for path, _, _ in found["files"]] == ["a.yaml/b.yaml", "base/c.yaml", "d.json/c.yaml"]
    assert found["skipped"] == [
        (".nopeaignore", "folder", ""),
        ("a.yaml", "folder", ""),
        ("base/module", "submodule", ""),
        ("d.json", "folder", ""),
        ("d.json/module", "submodule", ""),
        ("e.yaml", "submodule", ""),
    ]


@pytest.mark.parametrize(
    ("links", "at", "matter"),
    [
        ({}, "apps", False),
        ({"other/link": "../base"}, "apps", False),
        ({"apps/README.md": "../base/a.yaml"}, "apps", False),
        ({"apps/.cache": "../base"}, "apps", False),
        ({"apps/link.yaml": "../base/a.yaml"}, "apps", True),
        ({"apps/link": "../base"}, "apps", True),
        ({"apps/link": "../gone"}, "apps", True),
        ({"prod": "apps"}, "prod", True),
    ],
)
def test_links_that_decide_what_is_listed_are_noticed(
    tmp_path: Path, links: dict[str, str], at: str, matter: bool
) -> None:
    """Then a push to another folder may change what is declared."""
    files = {"apps/a.yaml": "a: 1\n", "base/a.yaml": "a: 1\n", **links}

    assert _listing(tmp_path, files, links=tuple(links), at=at)["has_links"] is matter


@pytest.mark.parametrize(
    ("path", "files", "folders", "missing"),
    [
        ("base", ["base/.env", "base/a.yaml", "base/conf/app.ini"], ["base"], []),
        ("base/.env", ["base/.env"], [], []),
        ("apps/base", ["apps/base/.env", "apps/base/a.yaml", "apps/base/conf/app.ini"], ["apps/base"], []),
        ("apps/settings", ["apps/settings"], [], []),
        ("base/gone", [], [], ["base/gone"]),
        ("base/a.yaml/x", [], [], ["base/a.yaml/x"]),
        ("base/../base", [], [], ["base/../base"]),
        ("apps/out", [], [], ["apps/out"]),
        ("module", [], [], ["module"]),
    ],
)
def test_all_that_is_at_a_path_is_listed(
    tmp_path: Path, path: str, files: list[str], folders: list[str], missing: list[str]
) -> None:
    """What a renderer reads may have any name; links are followed, inside the repository."""
    origin = Origin(tmp_path / "paths.git")
    tree_of = {
        "base/a.yaml": "a: 1\n", "base/.env": "A=1\n", "base/conf/app.ini": "", "apps/base": "../base",
        "apps/settings": "../base/conf/app.ini", "apps/out": "../../etc/passwd", "module": "1" * 40,
    }  # fmt: skip
    links = dict.fromkeys(("apps/base", "apps/settings", "apps/out"), "120000")
    commit = origin.commit(tree_of, modes={**links, "module": "160000"})

    found = tree.paths(pygit2.Repository(str(origin.path)), commit, [path])

    assert [each for each, _, _ in found["files"]] == files
    assert (found["folders"], found["missing"]) == (folders, missing)


def test_what_cannot_be_read_below_a_path_is_told(repository: pygit2.Repository, origin: Origin) -> None:
    """A chart without it would be another one."""
    commit = origin.commit({**FILES, "deploy/out": "/etc"}, modes={**MODES, "deploy/out": "120000"})

    found = tree.paths(repository, commit, ["deploy", "root.yml"])

    assert found["skipped"] == [("deploy/out", "outside", "/etc"), ("deploy/sub", "submodule", "")]


def test_links_cannot_multiply_files_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty folders with two links each to the next one are a million paths."""
    monkeypatch.setattr(tree, "_MAX_ENTRIES", 1000)
    links = {f"f{number}/{side}": f"../f{number + 1}" for number in range(20) for side in "ab"}

    with pytest.raises(GitFailure, match="more than 1000 files") as failure:
        _listing(tmp_path, {"f20/web.yaml": "a: 1\n", **links}, links=tuple(links), at="f0")

    assert failure.value.kind is ErrorKind.TOO_BIG


@pytest.mark.parametrize(
    ("at", "message"),
    [
        ("gone", "gone is a symbolic link to nowhere, which is not in the repository,"),
        ("out/x", "out is a symbolic link to ../x, which is outside the repository,"),
        ("module/x", "module is a submodule, which Nopea does not read,"),
        ("file", "there is no folder file"),
    ],
)
def test_a_path_through_what_is_no_folder_says_why(tmp_path: Path, at: str, message: str) -> None:
    """The message names the first part that does not lead to a folder."""
    files = {"gone": "nowhere", "out": "../x", "module": "1" * 40, "file": "a.yaml", "a.yaml": "a: 1\n"}

    with pytest.raises(GitFailure) as failure:
        _listing(tmp_path, files, links=["gone", "out", "file"], modules=["module"], at=at)

    assert (failure.value.kind, failure.value.message) == (ErrorKind.PATH_MISSING, message)


def test_a_tree_that_is_nested_too_deeply_is_refused(tmp_path: Path) -> None:
    """The limit is 64 folders."""
    origin = Origin(tmp_path / "deep.git")
    commit = origin.commit({f"{'d/' * 66}web.yaml": "a: 1\n"})

    with pytest.raises(GitFailure, match="nested deeper than 64") as failure:
        tree.files(pygit2.Repository(str(origin.path)), commit, "")

    assert failure.value.kind is ErrorKind.TOO_BIG


def test_contents_are_returned_in_batches(tmp_path: Path) -> None:
    """A response ends at about its maximum size and lists the remaining blobs."""
    origin = Origin(tmp_path / "big.git")
    origin.commit({f"{name}.yaml": name * (ANSWER_BYTES // 2 + 1) for name in "abc"})
    repository = pygit2.Repository(str(origin.path))
    blobs = [blob for _, blob, _ in tree.files(repository, origin.tip(), "")["files"]]

    first = tree.read(repository, blobs, max_bytes=ANSWER_BYTES)
    second = tree.read(repository, first["rest"], max_bytes=ANSWER_BYTES)

    assert list(first["done"]) == blobs[:2]
    assert (list(second["done"]), second["rest"]) == (blobs[2:], [])


def test_an_answer_that_takes_long_ends_early(
    repository: pygit2.Repository, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each answer has at least one file; then it is the turn of other repositories."""
    monkeypatch.setattr("nopea.git.tree.ANSWER_SECONDS", -1)
    blobs = [origin.git("rev-parse", f"main:{name}") for name in ("root.yml", "deploy/web.yaml")]

    answer = tree.manifests(repository, blobs, parse_file, max_bytes=1000)

    assert (list(answer["done"]), answer["rest"]) == (blobs[:1], blobs[1:])


def test_a_file_over_the_limit_is_an_error_and_a_problem_of_its_manifest(
    repository: pygit2.Repository, origin: Origin
) -> None:
    """Reading fails; parsing reports a problem for this file and parses the others."""
    blobs = [blob for _, blob, _ in tree.files(repository, origin.tip(), "")["files"]]
    with pytest.raises(GitFailure, match="a file of 16 bytes, the limit is 10"):
        tree.read(repository, blobs, max_bytes=10)

    class Parsed:
        """A file without documents."""

        documents = ()
        problems = ()

    found = tree.manifests(repository, blobs, lambda _: Parsed(), max_bytes=10)["done"]

    assert [len(parsed["problems"]) for parsed in found.values()] == [0, 0, 1, 0]


def test_an_id_of_a_tree_is_not_a_file(repository: pygit2.Repository, origin: Origin) -> None:
    """Only blobs can be read."""
    with pytest.raises(GitFailure) as failure:
        tree.read(repository, [origin.git("rev-parse", "main:deploy")], max_bytes=1000)

    assert failure.value.kind is ErrorKind.REFUSED


def test_a_missing_commit_is_a_problem_of_the_mirror(repository: pygit2.Repository) -> None:
    """The parent then fetches the commit and repeats the request."""
    with pytest.raises(GitFailure) as failure:
        tree.files(repository, "1" * 40, "")

    assert failure.value.kind is ErrorKind.MIRROR


def test_an_id_of_a_file_is_not_a_commit(repository: pygit2.Repository, origin: Origin) -> None:
    """Fetching would not help, so the request is refused."""
    with pytest.raises(GitFailure) as failure:
        tree.files(repository, origin.git("rev-parse", "main:root.yml"), "")

    assert failure.value.kind is ErrorKind.REFUSED


def test_a_manifest_is_returned_with_its_documents_and_problems(tmp_path: Path) -> None:
    """A file that is not YAML does not affect others in the same response."""
    origin = Origin(tmp_path / "two.git")
    secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: a}\n"
    origin.commit({"a.yaml": secret, "b.yaml": "a: [\n"})
    repository = pygit2.Repository(str(origin.path))
    blobs = [blob for _, blob, _ in tree.files(repository, origin.tip(), "")["files"]]

    answers = tree.manifests(repository, blobs, parse_file, max_bytes=1000)["done"]

    good, bad = (answers[blob] for blob in blobs)
    assert good == {
        "documents": [("1", 2, b'{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a"}}')],
        "problems": [],
    }
    assert bad["documents"] == []
    assert bad["problems"]


def test_equal_blobs_are_read_once() -> None:
    """The order is that of the first occurrence."""
    assert tree.ids(["b", "a", "b"]) == ["b", "a"]
