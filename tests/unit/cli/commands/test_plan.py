"""`nopea plan` with a cluster in memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.unit.cli.commands.test_diff import git
from tests.unit.cli.conftest import Commands

from nopea.kube.errors import ApiFailure, InvalidError
from nopea.kube.kinds import CONFIG_MAPS

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\n"


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """Return a folder with one manifest."""
    (tmp_path / "web.yaml").write_text(MAP)
    return str(tmp_path)


def test_a_new_object_would_be_created(commands: Commands, folder: str) -> None:
    """A new object is listed as to be created; nothing is written."""
    result = commands.run("plan", "-f", folder)

    assert result.exit_code == 1, result.output
    assert result.stdout.splitlines()[0] == "create ConfigMap shop/web: not there  web.yaml#1"
    assert result.stdout.splitlines()[-1] == "1 to create"
    assert commands.cluster.writes == []


def test_json_lists_the_objects(commands: Commands, folder: str) -> None:
    """The JSON output lists each object with its action."""
    result = commands.run("plan", "--filename", folder, "-o", "json")

    assert commands.run("plan", "--folder", folder, "-o", "json").stdout == result.stdout
    assert [(step["object"], step["action"]) for step in json.loads(result.stdout)["objects"]] == [
        ("ConfigMap shop/web", "create")
    ]


def test_a_file_with_an_error_exits_with_2(commands: Commands, tmp_path: Path) -> None:
    """The problem is printed on standard error, the plan of the other files on standard output."""
    (tmp_path / "web.yaml").write_text(MAP)
    (tmp_path / "bad.yaml").write_text("a: 1\na: 2\n")

    result = commands.run("plan", "-f", str(tmp_path))

    assert result.exit_code == 2
    assert "✗ NOPEA-M004 bad.yaml:2" in result.stderr
    assert "1 to create" in result.stdout


def test_a_repository_that_does_not_exist_is_refused(commands: Commands, folder: str) -> None:
    """`--for` requires an existing GitRepository."""
    assert commands.run("plan", "-f", folder, "--for", "nobody").exit_code == 3


def test_without_the_server_nothing_is_tried(commands: Commands, folder: str) -> None:
    """The plan is computed."""
    assert commands.run("plan", "-f", folder, "--no-server").exit_code == 1
    assert not [each for each in commands.cluster.requests if each.startswith("dry-run")]


def test_what_the_server_refuses_exits_with_2(commands: Commands, folder: str) -> None:
    """With code and hint, as a sync would report it."""
    error = InvalidError(ApiFailure(code=422, reason="Invalid", message=".data.replica is unknown"))
    commands.cluster.fail_next("dry-run", CONFIG_MAPS, error)

    result = commands.run("plan", "-f", folder)

    assert result.exit_code == 2
    assert (
        "    NOPEA-K003: .data.replica is unknown.\n    → Correct the manifest.\n1 refused" in result.stdout
    )


def test_markdown_is_for_a_pull_request(commands: Commands, folder: str) -> None:
    """A heading with the counts, and a section for each object."""
    result = commands.run("plan", "-f", folder, "-o", "markdown")

    assert result.stdout.startswith("### Nopea plan: 1 to create\n\n<details><summary>🆕 create: ")
    assert "\n```diff\n+apiVersion: v1\n" in result.stdout


@pytest.fixture
def branches(tmp_path: Path, commands: Commands) -> Path:
    """Return a Git repository with a branch `blue` and a tag `v1`; the GitRepository follows main."""
    root = tmp_path / "served"
    root.mkdir()
    (root / "web.yaml").write_text(MAP)
    git(root, "init", "-q", "-b", "main")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "Add web")
    git(root, "tag", "v1")
    git(root, "checkout", "-q", "-b", "blue")
    (root / "web.yaml").write_text(f"{MAP}data:\n  colour: blue\n")
    git(root, "commit", "-q", "-a", "-m", "Blue")
    commands.store(url=root.as_uri(), status={"inventory": ""})
    return root


def test_another_ref_can_be_planned(commands: Commands, branches: Path) -> None:
    """A branch as a merge, a tag, the full name of a ref or a commit; by default that of the spec."""
    main, tip = git(branches, "rev-parse", "main"), git(branches, "rev-parse", "blue")
    merge = f": blue at {tip[:12]} merged into main at {main[:12]}"
    for ref, title in {"blue": merge, "refs/heads/blue": f" at {tip[:12]}", tip: f" at {tip[:12]}"}.items():
        result = commands.run("plan", "api", "--ref", ref)
        assert (result.exit_code, "colour: blue" in result.stdout) == (1, True), result.output
        assert result.stdout.startswith(f"GitRepository shop/api{title}\n")
    assert commands.run("plan", "api", "--ref", "main").stdout.startswith(
        f"GitRepository shop/api at {main[:12]}\n"
    )
    for arguments in (["--ref", "v1"], []):
        result = commands.run("plan", "api", *arguments, "-o", "json")
        assert json.loads(result.stdout)["commit"] == git(branches, "rev-parse", "v1")


def test_a_branch_is_planned_as_it_is_where_there_is_none_to_merge_it_into(
    commands: Commands, branches: Path
) -> None:
    """The branch that the GitRepository follows may have been renamed."""
    tip = git(branches, "rev-parse", "blue")
    commands.store(url=branches.as_uri(), ref={"branch": "gone"}, status={"inventory": ""})

    result = commands.run("plan", "api", "--ref", "blue")

    assert result.stdout.startswith(f"GitRepository shop/api at {tip[:12]}\n"), result.output


def test_a_ref_that_does_not_exist_is_named(commands: Commands, branches: Path) -> None:
    """The hint is about the option and not about the spec."""
    del branches

    result = commands.run("plan", "api", "--ref", "green")

    assert result.exit_code == 3
    assert "--ref green is neither a branch nor a tag there." in result.stderr
