"""Symbolic links in a commit lead where they would lead in a checkout, and never out of the repository."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pygit2
import pytest
from tests.gitserver import Origin

from nopea.core.git.source import SkipReason
from nopea.git import links
from nopea.git.failure import GitFailure
from nopea.git.links import BrokenLinkError, Folder, Links, resolve
from nopea.git.protocol import ErrorKind

LINK, SUBMODULE = "120000", "160000"
FILES = {"base/a.yaml": "a: 1\n", "base/deep/b.yaml": "b: 1\n", "module": "1" * 40}


def _tree(tmp_path: Path, targets: Mapping[str, str]) -> tuple[pygit2.Repository, pygit2.Tree]:
    origin = Origin(tmp_path / "links.git")
    modes = {"module": SUBMODULE, **dict.fromkeys(targets, LINK)}
    commit = origin.commit({**FILES, **targets}, modes=modes)
    repository = pygit2.Repository(str(origin.path))
    return repository, repository[commit].tree


def _follow(tmp_path: Path, path: str, targets: Mapping[str, str]) -> Folder | str:
    """Follow the link at a path."""
    repository, root = _tree(tmp_path, targets)
    found = Links(repository)
    *above, name = path.split("/")
    folder, _ = resolve(found, root, above)
    entry = folder.entry(name)
    assert entry is not None
    return found.follow(folder, name, str(entry.id))


@pytest.mark.parametrize(
    ("path", "target", "real"),
    [
        ("prod", "base", "base"),
        ("apps/prod", "../base/deep", "base/deep"),
        ("apps/prod", ".././base//deep/", "base/deep"),
        ("apps/prod", "../base/deep/..", "base"),
        ("apps/x/y/prod", "../../../base/deep", "base/deep"),
        ("prod", ".", ""),
    ],
)
def test_a_link_leads_to_a_folder(tmp_path: Path, path: str, target: str, real: str) -> None:
    """Targets are relative to the folder of the link."""
    found = _follow(tmp_path, path, {path: target})

    assert isinstance(found, Folder)
    assert "/".join(found.names) == real


def test_a_link_leads_to_a_file_through_other_links(tmp_path: Path) -> None:
    """`..` behind a link to a folder is the folder's real parent, as on Linux."""
    targets = {
        "apps/to-deep": "../base/deep",
        "apps/web.yaml": "to-deep/../a.yaml",
        "web.yaml": "apps/web.yaml",
    }

    assert _follow(tmp_path, "web.yaml", targets) == str(pygit2.hash(b"a: 1\n"))


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("gone", SkipReason.NOT_THERE),
        ("base/a.yaml/x", SkipReason.NOT_THERE),
        ("a\0b", SkipReason.NOT_THERE),
        ("x" * 5000, SkipReason.NOT_THERE),
        ("/etc/passwd", SkipReason.OUTSIDE),
        ("/base", SkipReason.OUTSIDE),
        ("..", SkipReason.OUTSIDE),
        ("../links/base", SkipReason.OUTSIDE),
        ("base/../../x", SkipReason.OUTSIDE),
        ("module", SkipReason.TO_SUBMODULE),
        ("module/x.yaml", SkipReason.TO_SUBMODULE),
        ("link", SkipReason.LOOP),
        ("other", SkipReason.LOOP),
    ],
)
def test_a_broken_link_says_why(tmp_path: Path, target: str, reason: SkipReason) -> None:
    """Nothing outside the commit is looked at: an absolute target is outside even if it means the same."""
    with pytest.raises(BrokenLinkError) as broken:
        _follow(tmp_path, "link", {"link": target, "other": "link"})

    assert broken.value.reason is reason
    assert broken.value.target == (target if len(target) < 100 and "\0" not in target else "")


@pytest.mark.parametrize("length", [39, 40, 41])
def test_a_chain_may_be_as_long_as_on_linux(tmp_path: Path, length: int) -> None:
    """The kernel gives up at the 41st link."""
    targets = {f"l{number}": f"l{number + 1}" for number in range(1, length)} | {f"l{length}": "base/a.yaml"}
    (tmp_path / "checkout" / "base").mkdir(parents=True)
    (tmp_path / "checkout" / "base" / "a.yaml").write_text("a: 1\n")
    for name, target in targets.items():
        (tmp_path / "checkout" / name).symlink_to(target)
    try:
        (tmp_path / "checkout" / "l1").stat()
        readable = True
    except OSError:
        readable = False

    try:
        found: object = _follow(tmp_path, "l1", targets)
    except BrokenLinkError as error:
        found = error.reason

    assert readable is (length <= 40)
    assert found == (str(pygit2.hash(b"a: 1\n")) if readable else SkipReason.LOOP)


def test_a_link_that_is_not_utf_8_is_followed(tmp_path: Path) -> None:
    """Git allows any bytes in names and targets."""
    origin = Origin(tmp_path / "bytes.git")
    name = os.fsdecode(b"caf\xe9")
    blob = origin.git("hash-object", "-w", "--stdin", input=b"a: 1\n")
    target = origin.git("hash-object", "-w", "--stdin", input=b"caf\xe9")
    entries = b"100644 blob " + blob.encode() + b"\tcaf\xe9\0" + b"120000 blob " + target.encode() + b"\tl\0"
    tree = origin.git("mktree", "-z", input=entries)
    repository = pygit2.Repository(str(origin.path))
    root = repository[tree]
    assert isinstance(root, pygit2.Tree)

    assert name in root
    assert Links(repository).follow(Folder((), (root,)), "l", target) == blob


def test_the_work_for_links_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty links of four kilobytes each are a hundred thousand names, for each of thousands of links."""
    monkeypatch.setattr(links, "_MAX_STEPS", 1000)

    with pytest.raises(GitFailure, match="too many or too long symbolic links") as failure:
        _follow(tmp_path, "link", {"link": "base/../" * 500 + "base"})

    assert failure.value.kind is ErrorKind.TOO_BIG


def test_a_place_is_resolved_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link that is met at many paths costs its steps once, broken or not."""
    repository, root = _tree(tmp_path, {"good": "base/deep/../deep", "bad": "base/deep/../gone"})
    monkeypatch.setattr(links, "_MAX_STEPS", 8)
    found, folder = Links(repository), Folder((), (root,))

    for _ in range(3):
        assert isinstance(found.follow(folder, "good", str(root["good"].id)), Folder)
        with pytest.raises(BrokenLinkError):
            found.follow(folder, "bad", str(root["bad"].id))


@pytest.mark.parametrize(
    ("path", "depth"),
    [("base/deep", 2), ("prod/deep", 2), ("prod/gone", 1), ("file", 0), ("module/x", 0), ("..", 0)],
)
def test_a_path_leads_through_links(tmp_path: Path, path: str, depth: int) -> None:
    """A file, a link to a file, a submodule and `..` are no folders."""
    repository, root = _tree(tmp_path, {"prod": "base", "file": "base/a.yaml"})

    assert resolve(Links(repository), root, path.split("/"))[1] == depth
