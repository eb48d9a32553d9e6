"""The GitHub workflows and the action: fixed versions, least rights, no text of a pull request in a script.

`make lint-workflows` checks their syntax with actionlint.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ACTION = ROOT / ".github" / "actions" / "plan" / "action.yml"
FILES = [*WORKFLOWS, ACTION]
MAY_WRITE = {
    "release.yml": {
        "image": {"packages"},
        "manifest": {"packages", "id-token", "attestations"},
        "publish": {"contents", "id-token", "attestations"},
    }
}
Json = dict[str, Any]


def load(path: Path) -> Json:
    """Return the content of a workflow or an action."""
    return dict(yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader))


def steps(path: Path) -> Iterator[Json]:
    """Yield all steps."""
    content = load(path)
    for job in content.get("jobs", {"runs": content.get("runs")}).values():
        yield from job["steps"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_actions_have_a_fixed_commit(path: Path) -> None:
    """A tag can be moved; a full commit id cannot. The comment names the version."""
    uses = re.findall(r"uses: (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)

    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line) for line in uses), uses


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_expression_is_in_a_script(path: Path) -> None:
    """Titles, branches and inputs reach a shell as variables, so that none of them is run."""
    scripts = [step["run"] for step in steps(path) if "run" in step]

    assert scripts or path.name == "plan.yml"
    assert [script for script in scripts if "${{" in script] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_the_rights_are_the_least(path: Path) -> None:
    """A workflow may read the repository; a job that writes is listed here with what it writes."""
    content = load(path)

    assert content["permissions"] == {"contents": "read"}
    writes = {
        name: {right for right, level in job["permissions"].items() if level == "write"}
        for name, job in content["jobs"].items()
        if "permissions" in job
    }
    assert writes == MAY_WRITE.get(path.name, {})
    assert "pull_request_target" not in content["on"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_job_ends(path: Path) -> None:
    """Each job has a deadline, and leaves no token in the checkout."""
    for job in load(path)["jobs"].values():
        assert 0 < int(job["timeout-minutes"]) <= 90
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] == "false"


def test_the_make_targets_exist() -> None:
    """The workflows run targets of the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = {
        target
        for path in WORKFLOWS
        for target in re.findall(r"\bmake ([a-z-]+)", path.read_text(encoding="utf-8"))
    }

    assert targets >= {"check", "packages", "sbom"}
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


def test_nothing_is_released_before_it_is_checked_and_approved() -> None:
    """An image that is pushed can be pulled: it waits for the packages and for the reviewers, too."""
    jobs = load(ROOT / ".github" / "workflows" / "release.yml")["jobs"]

    assert jobs["image"]["needs"] == "packages"
    assert [jobs[name].get("environment") for name in ("image", "publish")] == ["release", "release"]


def test_the_action_installs_by_hash() -> None:
    """The next step gets the kubeconfig: no package runs that the lock does not name."""
    installs = re.findall(r"pip\S* install ([^\n]+)", ACTION.read_text(encoding="utf-8"))

    assert installs
    assert all("--require-hashes" in line and "--only-binary :all:" in line for line in installs)


def test_the_action_has_what_its_steps_use() -> None:
    """Each input is used, each used input exists, and each script names its shell."""
    content = load(ACTION)
    used = set(re.findall(r"inputs\.([\w-]+)", ACTION.read_text(encoding="utf-8")))

    assert content["runs"]["using"] == "composite"
    assert used == set(content["inputs"])
    assert all("description" in one for one in content["inputs"].values())
    assert all(step["shell"] == "bash" for step in content["runs"]["steps"])
