"""A local folder is read in the same way as a Git repository."""

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
    """Files are listed by their path from the root; other files and hidden ones are ignored."""
    _write(tmp_path, "b.yaml", "sub/deep/a.YML", "c.json", "README.md", ".git/d.yaml", "sub/.hidden.yaml")

    assert list(read_folder(tmp_path).files) == ["b.yaml", "c.json", "sub/deep/a.YML"]


def test_path_exclude_and_ignore_files_count(tmp_path: Path) -> None:
    """The path, exclude patterns and .nopeaignore files select files as for a GitRepository."""
    _write(tmp_path, "top.yaml", "deploy/a.yaml", "deploy/values.yaml", "deploy/old/b.yaml")
    _write(tmp_path, "deploy/.nopeaignore", text="old/\n")

    assert list(read_folder(tmp_path, path="deploy/", exclude=["values.yaml"]).files) == ["deploy/a.yaml"]


def test_a_single_file_is_enough(tmp_path: Path) -> None:
    """A single file is read whatever its suffix, and listed by its name."""
    _write(tmp_path, "web.txt")

    assert list(read_folder(tmp_path / "web.txt").files) == ["web.txt"]


def test_links_are_followed_within_the_folder(tmp_path: Path) -> None:
    """Files are named by the path through the links, as in a commit."""
    _write(tmp_path, "base/a.yaml", "apps/b.yaml")
    (tmp_path / "apps" / "base").symlink_to("../base")
    (tmp_path / "apps" / "c.yaml").symlink_to("base/a.yaml")

    found = read_folder(tmp_path, path="apps")

    assert list(found.files) == ["apps/b.yaml", "apps/base/a.yaml", "apps/c.yaml"]
    assert found.problems == ()


@pytest.mark.parametrize("target", ["../out", "../out/b.yaml", "/etc", "gone", ".", "loop", "../in"])
def test_other_links_are_reported(tmp_path: Path, target: str) -> None:
    """A link out of the folder, a dangling one and a loop are problems, whatever their names."""
    _write(tmp_path, "in/a.yaml", "out/b.yaml")
    (tmp_path / "in" / "loop").symlink_to(target)

    found = read_folder(tmp_path / "in")

    assert list(found.files) == ["a.yaml"]
    assert [(problem.code, problem.source) for problem in found.problems] == [("NOPEA-M012", "loop")]


def test_a_folder_with_the_name_of_a_manifest_is_reported(tmp_path: Path) -> None:
    """Its files are read, as in a commit."""
    _write(tmp_path, "a.yaml/b.yaml")

    found = read_folder(tmp_path)

    assert list(found.files) == ["a.yaml/b.yaml"]
    assert [(problem.code, problem.source) for problem in found.problems] == [("NOPEA-M014", "a.yaml")]


def test_a_folder_of_kustomize_is_refused(tmp_path: Path) -> None:
    """A plan of its patches would be wrong."""
    _write(tmp_path, "a.yaml", "kustomization.yaml")

    with pytest.raises(StalledError, match=r"NOPEA-M015 kustomization\.yaml"):
        read_folder(tmp_path)


def test_a_folder_without_manifests_is_a_problem(tmp_path: Path) -> None:
    """A folder without manifests is a problem, not an empty plan."""
    assert [problem.code for problem in read_folder(tmp_path).problems] == ["NOPEA-M011"]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """The error contains the folder and the system's reason."""
    with pytest.raises(StalledError, match="nowhere cannot be read: No such file"):
        read_folder(tmp_path / "nowhere")


def test_a_file_beyond_the_limit_is_a_problem(tmp_path: Path) -> None:
    """A file over the size limit is a problem and is not read in full."""
    with (tmp_path / "big.yaml").open("wb") as stream:
        stream.truncate(200 * 1024 * 1024)

    (parsed,) = read_folder(tmp_path).files.values()

    assert [problem.code for problem in parsed.problems] == ["NOPEA-M003"]
