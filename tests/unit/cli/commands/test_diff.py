"""`nopea diff` with a cluster in memory and a Git repository on disk."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from tests.unit.cli.conftest import Commands

from nopea.core.api.names import ROLLBACK_ANNOTATION
from nopea.kube.errors import ApiFailure, InvalidError
from nopea.kube.kinds import CONFIG_MAPS

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\n"


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder."""
    author = ["-c", "user.name=Ada", "-c", "user.email=ada@acme.example"]
    return subprocess.run(
        ["git", *author, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def commit(tmp_path: Path, commands: Commands) -> str:
    """Return the commit of a repository with one manifest, which the GitRepository follows."""
    (tmp_path / "web.yaml").write_text(MAP)
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "Add web")
    commands.store(url=tmp_path.as_uri(), status={"inventory": ""})
    return git(tmp_path, "rev-parse", "HEAD")


def test_a_missing_object_is_a_difference(commands: Commands, commit: str) -> None:
    """A missing object is listed as to be created; the exit code is 1 and nothing is written."""
    result = commands.run("diff", "api")

    assert result.exit_code == 1, result.output
    title, first, *_ = result.stdout.splitlines()
    assert title == f"GitRepository shop/api at {commit[:12]}"
    assert first == "create ConfigMap shop/web: not there  web.yaml#1"
    assert commands.cluster.writes == []


def test_json_names_the_repository_and_the_commit(commands: Commands, commit: str) -> None:
    """The JSON output contains the repository, the commit and whether anything differs."""
    result = commands.run("diff", "api", "-o", "json")

    document = json.loads(result.stdout)
    assert (document["repository"], document["commit"], document["differs"]) == ("shop/api", commit, True)


def test_a_rollback_and_a_suspension_are_pointed_out(commands: Commands, commit: str) -> None:
    """Hints name the commands that end the rollback and the suspension."""
    commands.store(
        url=commands.repository()["spec"]["url"], suspend=True, annotations={ROLLBACK_ANNOTATION: commit}
    )

    result = commands.run("diff", "api")

    assert "branch main is not followed until `nopea rollback api -n shop --resume`." in result.stderr
    assert "nothing is written until `nopea resume api -n shop`." in result.stderr
    planned = commands.run("plan", "api", "--ref", "main")
    assert planned.stderr == result.stderr
    comment = commands.run("plan", "api", "--ref", "main", "-o", "markdown").stdout
    assert "branch main is not followed until" in comment
    assert "nothing is written until" in comment


def test_what_is_refused_exits_with_2(commands: Commands, commit: str) -> None:
    """With code and hint, as a sync would report it."""
    del commit
    error = InvalidError(ApiFailure(code=422, reason="Invalid", message=".data.replica is unknown"))
    commands.cluster.fail_next("dry-run", CONFIG_MAPS, error)

    result = commands.run("diff", "api")

    assert result.exit_code == 2
    assert "NOPEA-K003: .data.replica is unknown." in result.stdout


def test_an_unreadable_git_repository_exits_with_3(commands: Commands, tmp_path: Path) -> None:
    """If Git cannot be read, the exit code is 3 and the problem is printed with its code."""
    commands.store(url=(tmp_path / "nowhere").as_uri())

    result = commands.run("diff", "api")

    assert result.exit_code == 3
    assert "✗ NOPEA-G" in result.stderr


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("name", "ConfigMap shop/web\n"),
        ("yaml", "differs: true\n"),
        ("markdown", "### "),
        ("table", "1 to create"),
    ],
)
@pytest.mark.usefixtures("commit")
def test_each_format(commands: Commands, output: str, text: str) -> None:
    """`table` is another name of `text`."""
    result = commands.run("diff", "api", "-o", output)

    assert (result.exit_code, text in result.stdout) == (1, True), result.output


def test_without_a_name_all_of_the_namespace_are_compared(commands: Commands, commit: str) -> None:
    """Each that differs is shown; one without Git is an error, and the worst code counts."""
    url = commands.repository()["spec"]["url"]

    differing = commands.run("diff", "-n", "shop")
    commands.store("gone", url=f"{url}-gone", uid="uid-3", status={"inventory": ""})
    failing = commands.run("diff", "-A")

    assert differing.exit_code == 1, differing.output
    assert f"GitRepository shop/api at {commit[:12]}\ncreate ConfigMap shop/web" in differing.stdout
    assert differing.stdout.splitlines()[-1] == "1 GitRepository in namespace shop: 1 differs."
    assert failing.exit_code == 3
    assert "GitRepository shop/gone could not be compared:" in failing.stderr
    assert "NOPEA-G014" in failing.stderr
    assert failing.stdout.splitlines()[-1] == (
        "2 GitRepositories in the cluster: 1 differs, 1 could not be compared."
    )


def test_programs_get_all_in_one_document(commands: Commands, commit: str) -> None:
    """Each as with a NAME; one that could not be compared has problems only. Names are lines."""
    url = commands.repository()["spec"]["url"]
    commands.store("gone", url=f"{url}-gone", uid="uid-3", status={"inventory": ""})

    api, gone = json.loads(commands.run("diff", "-o", "json").stdout)["repositories"]
    alone = json.loads(commands.run("diff", "api", "-o", "json").stdout)

    assert api == alone
    assert (gone["repository"], gone["commit"], gone["differs"]) == ("shop/gone", None, None)
    assert gone["problems"][0]["code"] == "NOPEA-G014"
    assert commands.run("diff", "-o", "name").stdout == "ConfigMap shop/web\n"
    assert commit == api["commit"]


def test_nothing_to_compare_is_said(commands: Commands) -> None:
    """An empty namespace is not an error."""
    result = commands.run("diff", "-n", "empty")

    assert (result.exit_code, result.stdout) == (0, "There are no GitRepositories in namespace empty.\n")


@pytest.mark.parametrize("arguments", [("api", "-A"), ("-A", "-o", "markdown")])
def test_what_does_not_fit_together_is_refused(commands: Commands, arguments: tuple[str, ...]) -> None:
    """As with the other commands; a comment on a pull request is about one."""
    assert commands.run("diff", *arguments).exit_code == 2
