"""The action that comments a plan: its scripts as GitHub runs them, on a real API server and repository."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.fakes.github import BOT, GitHub

from nopea.core.api import names
from nopea_lab.lab import Lab

ACTION = Path(__file__).parents[2] / ".github" / "actions" / "plan"
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {greeting: %s}\n"
TYPO = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replica: 2}\n"


@dataclass(frozen=True, slots=True)
class Run:
    """What a run of the action left: the exit code of each step, and the outputs."""

    codes: list[int]
    outputs: str


@dataclass(slots=True)
class PullRequest:
    """A repository whose ref refs/pull/7/merge is planned, and the GitRepository that follows its main."""

    lab: Lab
    github: GitHub
    folder: Path
    namespace: str

    def git(self, *arguments: str) -> None:
        """Run Git in the repository."""
        person = ("-c", "user.name=Ann", "-c", "user.email=ann@acme.example")
        subprocess.run(["git", "-C", self.folder / "shop", *person, *arguments], check=True, timeout=60)

    def commit(self, ref: str, **files: str) -> None:
        """Commit files, and let a ref point to the commit."""
        for name, text in files.items():
            (self.folder / "shop" / f"{name}.yaml").write_text(text)
        self.git("add", ".")
        self.git("commit", "--quiet", "--message", "change")
        self.git("update-ref", ref, "HEAD")

    def plan(self, *, cwd: str | None = None, **inputs: str) -> Run:
        """Run the steps of the action that follow the installation, with GitHub's values."""
        temp, output = self.folder / "temp", self.folder / "output"
        temp.mkdir(exist_ok=True)
        if not (temp / "nopea").exists():
            (temp / "nopea").symlink_to(sys.prefix)
        output.write_text("")
        content: dict[str, Any] = yaml.safe_load((ACTION / "action.yml").read_text())
        values = {
            "github.event.number": "7",
            "github.action_path": str(ACTION),
            **{f"inputs.{name}": str(one.get("default", "")) for name, one in content["inputs"].items()},
            "inputs.name": "shop",
            "inputs.namespace": self.namespace,
            "inputs.kubeconfig": self.lab.kubeconfig.read_text(),
            "inputs.ref": "refs/pull/7/merge",
            "inputs.token": "secret",
            **{f"inputs.{name.replace('_', '-')}": value for name, value in inputs.items()},
        }
        codes = []
        for step in content["runs"]["steps"][1:]:
            values["steps.plan.outputs.code"] = output.read_text().strip().removeprefix("code=")
            environment = {name: _filled(text, values) for name, text in step["env"].items()}
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
                env={
                    "PATH": os.environ["PATH"],
                    "HOME": str(self.folder),
                    "RUNNER_TEMP": str(temp),
                    "GITHUB_OUTPUT": str(output),
                    "GITHUB_API_URL": f"http://127.0.0.1:{self.github.server_port}",
                    "GITHUB_REPOSITORY": "acme/shop",
                    **environment,
                },
                cwd=cwd,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            codes.append(done.returncode)
            assert "Traceback" not in done.stderr, done.stderr
        assert not list(temp.glob("kubeconfig*")), "a kubeconfig was left behind"
        return Run(codes, output.read_text())


def _filled(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"${{{{ {name} }}}}", value)
    assert "${{" not in text, text
    return text


@pytest.fixture
def pull_request(lab: Lab, crds: None, namespace: str, github: GitHub, tmp_path: Path) -> PullRequest:
    """Make a repository with one object, and a GitRepository for it; no controller runs."""
    del crds
    made = PullRequest(lab, github, tmp_path, namespace)
    subprocess.run(
        ["git", "init", "--quiet", "--initial-branch=main", tmp_path / "shop"], check=True, timeout=60
    )
    made.commit("refs/heads/main", web=CONFIG % "hello")
    body = {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {"name": "shop"},
        "spec": {"url": f"file://{tmp_path}/shop", "ref": {"branch": "main"}},
    }
    created = lab.request("POST", f"/apis/{names.API_VERSION}/namespaces/{namespace}/{names.PLURAL}", body)
    assert created.status == 201, created.body
    return made


def test_a_change_is_commented(pull_request: PullRequest) -> None:
    """The comment has what a merge would create; the job succeeds, unless changes are to fail it."""
    pull_request.commit("refs/pull/7/merge", more=CONFIG.replace("web", "more") % "new")

    assert pull_request.plan() == Run([0, 0, 0], "code=1\n")
    assert pull_request.plan(fail_on_change="true").codes == [0, 0, 1]
    (comment,) = pull_request.github.comments
    assert comment["user"] == {"login": BOT}
    assert comment["body"].startswith(f"<!-- nopea plan {pull_request.namespace}/shop -->\n")
    assert "greeting: new" in comment["body"]


def test_a_refusal_is_commented_and_fails(pull_request: PullRequest) -> None:
    """The comment names the field that the API server refuses."""
    pull_request.commit("refs/pull/7/merge", more=TYPO)

    assert pull_request.plan() == Run([0, 0, 1], "code=2\n")
    (comment,) = pull_request.github.comments
    assert ".spec.replica" in comment["body"]


def test_inputs_are_not_run(pull_request: PullRequest) -> None:
    """A name with shell syntax is a name: nothing is run, and nothing is planned."""
    done = pull_request.plan(name="shop; touch $RUNNER_TEMP/run $(touch $RUNNER_TEMP/run)")

    assert done.codes[-1] != 0
    assert not (pull_request.folder / "temp" / "run").exists()


def test_an_old_plan_does_not_stay(pull_request: PullRequest) -> None:
    """Where nothing can be planned, the comment says so, and the job fails."""
    pull_request.commit("refs/pull/7/merge", more=CONFIG.replace("web", "more") % "new")
    assert pull_request.plan().codes == [0, 0, 0]

    assert pull_request.plan(ref="refs/pull/8/merge") == Run([0, 0, 1], "code=3\n")
    (comment,) = pull_request.github.comments
    assert "nothing could be planned" in comment["body"]


def test_a_folder_of_the_pull_request_is_not_run(pull_request: PullRequest) -> None:
    """The job may have checked it out: a package named nopea there is no program."""
    decoy = pull_request.folder / "shop" / "nopea"
    decoy.mkdir()
    (decoy / "__init__.py").write_text("")
    (decoy / "__main__.py").write_text("import pathlib; pathlib.Path('ran').touch()")

    pull_request.commit("refs/pull/7/merge", web=CONFIG % "new")

    pull_request.plan(cwd=str(pull_request.folder / "shop"))

    assert not list(pull_request.folder.rglob("ran"))
