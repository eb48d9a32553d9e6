"""`nopea plan` with a cluster in memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.unit.cli.conftest import Commands

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\n"


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """Return a folder with one manifest."""
    (tmp_path / "web.yaml").write_text(MAP)
    return str(tmp_path)


def test_a_new_object_would_be_created(commands: Commands, folder: str) -> None:
    """A new object is listed as to be created; nothing is written."""
    result = commands.run("plan", "-f", folder)

    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0] == "create ConfigMap shop/web: not there  web.yaml#1"
    assert result.stdout.splitlines()[-1] == "1 to create"
    assert commands.cluster.writes == []


def test_json_lists_the_objects(commands: Commands, folder: str) -> None:
    """The JSON output lists each object with its action."""
    result = commands.run("plan", "-f", folder, "-o", "json")

    assert [(step["object"], step["action"]) for step in json.loads(result.stdout)["objects"]] == [
        ("ConfigMap shop/web", "create")
    ]


def test_a_file_with_an_error_exits_with_3(commands: Commands, tmp_path: Path) -> None:
    """The problem is printed on standard error, the plan of the other files on standard output."""
    (tmp_path / "web.yaml").write_text(MAP)
    (tmp_path / "bad.yaml").write_text("a: 1\na: 2\n")

    result = commands.run("plan", "-f", str(tmp_path))

    assert result.exit_code == 3
    assert "✗ NOPEA-M004 bad.yaml:2" in result.stderr
    assert "1 to create" in result.stdout


def test_a_repository_that_does_not_exist_is_refused(commands: Commands, folder: str) -> None:
    """`--for` requires an existing GitRepository."""
    assert commands.run("plan", "-f", folder, "--for", "nobody").exit_code == 3
