"""The demo's sample repository: created, cloned and changed with the git command."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from nopea_lab.demo.origin import Origin, find_git
from nopea_lab.demo.shop import DemoCommit
from nopea_lab.errors import LabError

FIRST = DemoCommit(message="First", files={"web.yaml": "a: 1\n", "old.yaml": "b: 1\n"})
SECOND = DemoCommit(message="Second", files={"web.yaml": "a: 2\n"}, removed=("old.yaml",))


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    """A repository with a clone that pushes to it."""
    made = Origin(repositories=tmp_path / "git", clone=tmp_path / "clone")
    made.create()
    made.clone(str(tmp_path / "git" / "shop.git"))
    return made


def _served(folder: Path, *arguments: str) -> list[str]:
    command = ["git", "--git-dir", str(folder / "git" / "shop.git"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_a_commit_changes_and_removes_files(origin: Origin, tmp_path: Path) -> None:
    """`commit` returns the id that the served branch has after the push."""
    origin.commit(FIRST)
    commit = origin.commit(SECOND)
    origin.push()

    assert _served(tmp_path, "log", "--format=%H %s", "main")[0] == f"{commit} Second"
    assert _served(tmp_path, "ls-tree", "--name-only", "main") == ["web.yaml"]
    assert _served(tmp_path, "show", "main:web.yaml") == ["a: 2"]


def test_each_push_runs_the_command_with_the_moved_ref(origin: Origin, tmp_path: Path) -> None:
    """Standard input has Git's line about the push."""
    origin.announce_with("tee", str(tmp_path / "a b"))

    commit = origin.commit(FIRST)
    origin.push()

    assert (tmp_path / "a b").read_text() == f"{'0' * 40} {commit} refs/heads/main\n"


def test_a_failing_git_is_an_error_with_its_output(tmp_path: Path) -> None:
    """The command that failed is in the message."""
    origin = Origin(repositories=tmp_path / "git", clone=tmp_path / "clone")

    with pytest.raises(LabError, match="git clone") as raised:
        origin.clone(str(tmp_path / "missing.git"))

    assert "missing.git" in raised.value.detail


def test_a_machine_without_git_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hint is a command."""
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(LabError) as raised:
        find_git()

    assert "apt-get install git" in raised.value.hint
