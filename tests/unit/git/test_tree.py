"""Reading a commit in a bare repository: folders, manifest files, contents, portions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pygit2
import pytest
from tests.gitserver import Origin

from nopea.core.manifests.file import parse_file
from nopea.core.problem import Code
from nopea.git import tree
from nopea.git.failure import GitFailure
from nopea.git.protocol import ErrorKind

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    """An empty bare repository."""
    return Origin(tmp_path / "shop.git")


@pytest.fixture
def repository(origin: Origin) -> Iterator[pygit2.Repository]:
    """The same repository, opened with libgit2."""
    opened = pygit2.Repository(str(origin.path))
    yield opened
    opened.free()


def failure_of(call: Any) -> GitFailure:
    """Call what must fail and return the failure."""
    with pytest.raises(GitFailure) as failure:
        call()
    return failure.value


@pytest.mark.parametrize("subpath", ["deploy/prod", "/deploy/prod/", "./deploy//prod/."])
def test_a_folder_is_found_however_it_is_spelt(
    origin: Origin, repository: pygit2.Repository, subpath: str
) -> None:
    """Slashes at the ends, double slashes and dots do not matter."""
    commit = origin.commit({"deploy/prod/a.yaml": "a: 1\n"})

    path, found = tree.folder(repository, commit, subpath)

    assert path == "deploy/prod"
    assert [entry.name for entry in found] == ["a.yaml"]


@pytest.mark.parametrize(
    ("subpath", "at"),
    [
        ("deploi", ""),
        ("deploy/qa", "deploy"),
        ("deploy/a.yaml", "deploy"),
        ("deploy/link", "deploy"),
        ("deploy/../deploy", "deploy"),
    ],
)
def test_a_folder_that_is_not_there_names_its_neighbours(
    origin: Origin, repository: pygit2.Repository, subpath: str, at: str
) -> None:
    """The failure has the last folder that exists and the folders in it; `..` and links lead nowhere."""
    commit = origin.commit(
        {"deploy/a.yaml": "", "deploy/prod/b.yaml": "", "deploy/link": "prod", "docs/c.md": ""},
        modes={"deploy/link": "120000"},
    )

    failure = failure_of(lambda: tree.folder(repository, commit, subpath))

    assert failure.kind is ErrorKind.PATH_MISSING
    assert failure.facts == {"at": at, "folders": ["prod"] if at else ["deploy", "docs"]}


def test_an_object_that_is_not_a_commit_is_refused(origin: Origin, repository: pygit2.Repository) -> None:
    """A blob's id where a commit's belongs; an id that is not there is a damaged mirror."""
    origin.commit({"a.yaml": "a: 1\n"})
    blob = origin.git("rev-parse", "main:a.yaml")

    assert failure_of(lambda: tree.folder(repository, blob, "")).kind is ErrorKind.REFUSED
    assert failure_of(lambda: tree.folder(repository, "b" * 40, "")).kind is ErrorKind.MIRROR


def test_manifest_and_ignore_files_are_listed_in_order(origin: Origin, repository: pygit2.Repository) -> None:
    """By suffix in any case, with blob and size; everything else is left out."""
    commit = origin.commit(
        {"b.yml": "b", "a.YAML": "aa", "sub/c.json": "{}", ".nopeaignore": "x\n", "README.md": "", "yaml": ""}
    )

    listing = tree.files(repository, commit, "")

    assert [(path, size) for path, _, size in listing["files"]] == [
        (".nopeaignore", 2), ("a.YAML", 2), ("b.yml", 1), ("sub/c.json", 2),
    ]  # fmt: skip
    assert listing["files"][2][1] == origin.git("rev-parse", "main:b.yml")
    assert listing["skipped"] == []


def test_links_and_submodules_are_skipped(origin: Origin, repository: pygit2.Repository) -> None:
    """A link that looks like a manifest and a submodule are named; another link is not a manifest."""
    commit = origin.commit(
        {"link.yaml": "/etc/passwd", "link.txt": "a", "sub": "1" * 40},
        modes={"link.yaml": "120000", "link.txt": "120000", "sub": "160000"},
    )

    assert tree.files(repository, commit, "") == {
        "files": [], "skipped": [("link.yaml", "symlink"), ("sub", "submodule")],
    }  # fmt: skip


def test_folders_have_a_bounded_depth(origin: Origin, repository: pygit2.Repository) -> None:
    """Sixty-four folders deep is read, one more is too big."""
    deepest = "/".join(["d"] * 64)
    commit = origin.commit({f"{deepest}/a.yaml": "a: 1\n"})
    assert len(tree.files(repository, commit, "")["files"]) == 1

    commit = origin.commit({f"{deepest}/d/a.yaml": "a: 1\n"})
    assert failure_of(lambda: tree.files(repository, commit, "")).kind is ErrorKind.TOO_BIG


def test_contents_come_in_portions(
    origin: Origin, repository: pygit2.Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer ends after the file that fills it, and says what is left for the next one."""
    monkeypatch.setattr(tree, "ANSWER_BYTES", 10)
    origin.commit({"a.yaml": "a" * 6, "b.yaml": "b" * 6, "c.yaml": "c"})
    a, b, c = (origin.git("rev-parse", f"main:{name}.yaml") for name in "abc")

    assert tree.read(repository, [a, b, c], max_bytes=100) == {
        "done": {a: b"a" * 6, b: b"b" * 6}, "rest": [c],
    }  # fmt: skip
    assert tree.read(repository, [c], max_bytes=100) == {"done": {c: b"c"}, "rest": []}


def test_a_file_over_the_limit_is_not_read(origin: Origin, repository: pygit2.Repository) -> None:
    """The limit itself is allowed; the failure names the blob."""
    origin.commit({"a.yaml": "a" * 11})
    blob = origin.git("rev-parse", "main:a.yaml")

    assert tree.read(repository, [blob], max_bytes=11)["done"] == {blob: b"a" * 11}
    failure = failure_of(lambda: tree.read(repository, [blob], max_bytes=10))
    assert (failure.kind, failure.facts) == (ErrorKind.TOO_BIG, {"blob": blob})


def test_only_files_are_read(origin: Origin, repository: pygit2.Repository) -> None:
    """A commit's id is refused; an id that is not there is a damaged mirror."""
    commit = origin.commit({"a.yaml": "a"})

    assert failure_of(lambda: tree.read(repository, [commit], max_bytes=9999)).kind is ErrorKind.REFUSED
    assert failure_of(lambda: tree.read(repository, ["b" * 40], max_bytes=9)).kind is ErrorKind.MIRROR


def test_manifests_are_parsed_by_blob(origin: Origin, repository: pygit2.Repository) -> None:
    """Each file gives its documents as JSON and its problems, as plain values for the frame."""
    origin.commit({"good.yaml": CONFIG_MAP, "bad.yaml": "a: [\n"})
    good, bad = (origin.git("rev-parse", f"main:{name}.yaml") for name in ("good", "bad"))

    done = tree.manifests(repository, [good, bad], parse_file, max_bytes=1000)["done"]

    assert done[good] == {
        "documents": [("1", 1, b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}')],
        "problems": [],
    }
    assert done[bad]["documents"] == []
    assert [code for code, *_ in done[bad]["problems"]] == [Code.YAML_SYNTAX.value]


def test_a_manifest_over_the_limit_is_a_problem_of_its_own(
    origin: Origin, repository: pygit2.Repository
) -> None:
    """The files beside it are parsed."""
    origin.commit({"big.yaml": "#" * 1000, "good.yaml": CONFIG_MAP})
    big, good = (origin.git("rev-parse", f"main:{name}.yaml") for name in ("big", "good"))

    done = tree.manifests(repository, [big, good], parse_file, max_bytes=100)["done"]

    ((code, _, hint, _, _),) = done[big]["problems"]
    assert code == Code.YAML_LIMIT.value
    assert "spec.exclude" in hint
    assert len(done[good]["documents"]) == 1


def test_ids_are_asked_once() -> None:
    """In the order in which they came first."""
    assert tree.ids(["b", "a", "b"]) == ["b", "a"]
