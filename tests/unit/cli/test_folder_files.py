"""The files of a local folder as a renderer sees them."""

from __future__ import annotations

from pathlib import Path

import pytest

from nopea.cli import folder_files
from nopea.cli.folder_files import FolderFiles
from nopea.core.git.source import Skipped, SkipReason
from nopea.core.problem import StalledError


def _tree(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for name in ("base/a.yaml", "base/.env", "base/deep/x.ini", ".git/config", "b.yaml"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (tmp_path / "secret").write_text("secret")
    (root / "base" / "out").symlink_to("../../secret")
    (root / "base" / "in").symlink_to("../b.yaml")
    return root


async def test_files_folders_and_what_is_missing_are_told_apart(tmp_path: Path) -> None:
    """All names count but .git; what lies outside is missing, behind a link too."""
    found = await FolderFiles(_tree(tmp_path)).paths(["base", "b.yaml", "gone", "../secret", "base/out"])

    assert [(each.path, each.size) for each in found.files] == [
        ("b.yaml", 6),
        ("base/.env", 9),
        ("base/a.yaml", 11),
        ("base/deep/x.ini", 15),
        ("base/in", 6),
    ]
    assert (found.folders, found.missing) == (("base",), ("gone", "../secret", "base/out"))
    assert found.skipped == (Skipped("base/out", SkipReason.NOT_THERE, "../../secret"),)


async def test_contents_are_read_by_path(tmp_path: Path) -> None:
    """The id of a file is its path."""
    assert await FolderFiles(_tree(tmp_path)).read(["base/in"]) == {"base/in": b"b.yaml"}


async def test_a_folder_with_too_many_files_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody's home folder is no repository."""
    monkeypatch.setattr(folder_files, "MAX_FILES", 2)

    with pytest.raises(StalledError, match="more than 2 files"):
        await FolderFiles(_tree(tmp_path)).paths([""])


async def test_the_files_of_git_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The root of a working copy has many of them."""
    root = tmp_path / "root"
    for name in ("a.yaml", ".git/config", ".git/objects/aa/1", ".git/objects/aa/2"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    monkeypatch.setattr(folder_files, "MAX_FILES", 2)

    assert [each.path for each in (await FolderFiles(root).paths([""])).files] == ["a.yaml"]


async def test_links_are_followed_as_in_git(tmp_path: Path) -> None:
    """Links to folders are; absolute ones, and those that lead back, are not."""
    root = _tree(tmp_path)
    (root / "chart").mkdir()
    (root / "chart" / "linked").symlink_to("../base/deep")
    (root / "chart" / "back").symlink_to("../chart")
    (root / "chart" / "absolute").symlink_to(root / "b.yaml")

    found = await FolderFiles(root).paths(["chart", "chart/absolute"])

    assert [each.path for each in found.files] == ["chart/linked/x.ini"]
    assert (found.folders, found.missing) == (("chart",), ("chart/absolute",))
