"""A folder is read as Git would be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from nopea.cli.folder import read_folder
from nopea.core.problem import StalledError

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n"


def _write(root: Path, *names: str, text: str = MAP) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def test_manifests_are_found_at_any_depth(tmp_path: Path) -> None:
    """By their path from the root; other files and hidden ones are not looked at."""
    _write(tmp_path, "b.yaml", "sub/deep/a.YML", "c.json", "README.md", ".git/d.yaml", "sub/.hidden.yaml")

    assert list(read_folder(tmp_path).files) == ["b.yaml", "c.json", "sub/deep/a.YML"]


def test_path_exclude_and_ignore_files_count(tmp_path: Path) -> None:
    """As they do for a GitRepository."""
    _write(tmp_path, "top.yaml", "deploy/a.yaml", "deploy/values.yaml", "deploy/old/b.yaml")
    _write(tmp_path, "deploy/.nopeaignore", text="old/\n")

    assert list(read_folder(tmp_path, path="deploy/", exclude=["values.yaml"]).files) == ["deploy/a.yaml"]


def test_a_single_file_is_enough(tmp_path: Path) -> None:
    """It is called by its name."""
    _write(tmp_path, "web.txt")

    assert list(read_folder(tmp_path / "web.txt").files) == ["web.txt"]


def test_links_are_told_and_not_followed(tmp_path: Path) -> None:
    """Neither those of files nor those of folders."""
    _write(tmp_path, "in/a.yaml", "out/b.yaml")
    (tmp_path / "in" / "link.yaml").symlink_to(tmp_path / "out" / "b.yaml")
    (tmp_path / "in" / "folder").symlink_to(tmp_path / "out")

    found = read_folder(tmp_path / "in")

    assert list(found.files) == ["a.yaml"]
    assert [(problem.code, problem.source) for problem in found.problems] == [("NOPEA-M012", "link.yaml")]


def test_a_folder_without_manifests_says_so(tmp_path: Path) -> None:
    """It is not an empty plan."""
    assert [problem.code for problem in read_folder(tmp_path).problems] == ["NOPEA-M011"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With the reason that the system gives."""
    with pytest.raises(StalledError, match="nowhere cannot be read: No such file"):
        read_folder(tmp_path / "nowhere")


def test_a_file_beyond_the_limit_is_told(tmp_path: Path) -> None:
    """Without reading all of it."""
    with (tmp_path / "big.yaml").open("wb") as stream:
        stream.truncate(200 * 1024 * 1024)

    (parsed,) = read_folder(tmp_path).files.values()

    assert [problem.code for problem in parsed.problems] == ["NOPEA-M003"]
