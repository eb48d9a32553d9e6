"""`nopea render` with a folder, and with a GitRepository in a cluster in memory."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.unit.cli.conftest import Commands

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\n"


def _git(folder: Path, *arguments: str) -> None:
    author = ["-c", "user.name=Ada", "-c", "user.email=ada@acme.example"]
    subprocess.run(["git", *author, *arguments], cwd=folder, check=True, capture_output=True)


def test_a_folder_is_printed_with_its_sources(commands: Commands, tmp_path: Path) -> None:
    """No request is sent to a cluster."""
    (tmp_path / "web.yaml").write_text(MAP)

    result = commands.run("render", str(tmp_path))

    assert result.exit_code == 0, result.output
    assert result.stdout == f"---\n# Source: web.yaml#1\n{MAP}"
    assert commands.cluster.requests == []


def test_the_default_is_the_current_folder(
    commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for other tools that render."""
    (tmp_path / "web.yaml").write_text(MAP)
    monkeypatch.chdir(tmp_path)

    assert commands.run("render", "-o", "name").stdout == "ConfigMap web\n"


def test_in_a_working_copy_the_source_is_relative_to_its_root(commands: Commands, tmp_path: Path) -> None:
    """It is the path that the controller would name."""
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "web.yaml").write_text(MAP)
    _git(tmp_path, "init", "-q")

    for arguments in ([str(tmp_path / "deploy")], [str(tmp_path), "--path", "deploy"]):
        assert "# Source: deploy/web.yaml#1" in commands.run("render", *arguments).stdout


def test_problems_are_on_standard_error(commands: Commands, tmp_path: Path) -> None:
    """Exit code 1 if something could be rendered, 3 if nothing could."""
    (tmp_path / "web.yaml").write_text(MAP)
    (tmp_path / "bad.yaml").write_text("a: 1\na: 2\n")

    result = commands.run("render", str(tmp_path))

    assert (result.exit_code, "# Source: web.yaml#1" in result.stdout) == (1, True)
    assert "✗ NOPEA-M004 bad.yaml:2" in result.stderr
    gone = commands.run("render", str(tmp_path / "gone"))
    assert (gone.exit_code, gone.stdout) == (3, "")


def test_a_repository_is_printed_as_it_would_be_applied(commands: Commands, tmp_path: Path) -> None:
    """With namespace and label, at the newest commit; nothing is written."""
    (tmp_path / "web.yaml").write_text(MAP)
    _git(tmp_path, "init", "-q", "-b", "main")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "-q", "-m", "Add web")
    commands.store(url=f"file://{tmp_path}", targetNamespace="shop")

    result = commands.run("render", "api")

    assert result.exit_code == 0, result.output
    assert "  namespace: shop\n" in result.stdout
    assert "    nopea.io/repository: " in result.stdout
    assert commands.cluster.writes == []


def test_a_repository_that_does_not_exist_is_an_error(commands: Commands) -> None:
    """A name without a slash that is not a file is that of a GitRepository."""
    result = commands.run("render", "nobody")

    assert result.exit_code == 3
    assert "GitRepository shop/nobody does not exist" in result.stderr


def test_a_repository_has_its_own_path(commands: Commands) -> None:
    """`--path` is wrong usage with a name."""
    assert commands.run("render", "api", "--path", "x").exit_code == 2
