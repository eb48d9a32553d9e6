"""docs/security.md names tests that exist, and SECURITY.md says how to report."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
THREATS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.partition("\n## Threats\n")[2].partition("\n## ")[0].splitlines()
    if line.startswith("|")
][2:]
NAMED = [name for row in THREATS for name in re.findall(r"`([^`]+::[^`]+)`", row[-1])]
ACTORS = (
    "anybody on the network", "a webhook's sender", "a user with a GitRepository",
    "a user with `edit` in a namespace, without GitRepositories", "a user with the role `nopea-operator`",
    "the author of a pull request", "what is in a repository", "a Git server",
    "a registry, a chart repository, another repository",
    "who may read status, Events, notifications or logs",
    "who may read the volume of `--cache-dir`", "a Pod that reaches the port of the API server's reports",
    "a visitor of the [dashboard](dashboard.md)",
    "another web site that a user of `nopea ui` visits", "who may write to a repository, or to an object",
    "another manager of the same objects",
    "a tenant by any of this, or by all at once",
    "another GitRepository of the same tenant",
    "a user with rights in one namespace, before an administrator installs, upgrades or removes Nopea",
    "who takes over the Nopea Pod", "the supply chain",
)  # fmt: skip


@cache
def functions_of(file: str) -> frozenset[str]:
    """Return the names of the test functions in a file below tests/; none if it does not exist."""
    path = ROOT / "tests" / file
    if not path.is_file():
        return frozenset()
    return frozenset(
        node.name
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    )


@pytest.mark.parametrize("name", NAMED)
def test_every_named_test_exists(name: str) -> None:
    """A claim without its test is no longer proved."""
    file, _, test = name.partition("::")
    assert test in functions_of(file)


def test_every_threat_has_an_answer_and_a_proof() -> None:
    """Each row says who, what, the answer and at least one test; an empty cell repeats the one above."""
    for row in THREATS:
        assert len(row) == 4, row
        assert all(row[1:]), row
        assert re.search(r"`[^`]+\.py::test_[a-z0-9_]+`", row[3]), row
    assert tuple(row[0] for row in THREATS if row[0]) == ACTORS
    assert len(THREATS) > 30


def test_every_folder_of_deploy_is_explained() -> None:
    """Each variant and component that can be applied is on the page, except for the monitoring."""
    folders = {path.parent.name for path in (ROOT / "deploy").glob("*/kustomization.yaml")}
    for folder in folders - {"base", "monitoring"}:
        assert re.search(rf"`(deploy/)?{folder}`", TEXT), folder


def test_the_rights_of_a_tenant_are_those_of_the_role() -> None:
    """The table says `deployer` only, and Secrets by name."""
    documents = yaml.safe_load_all((ROOT / "deploy/tenant/rbac.yaml").read_text(encoding="utf-8"))
    (role,) = (one for one in documents if one["kind"] == "Role")
    assert role["rules"] == [
        {
            "apiGroups": [""],
            "resources": ["serviceaccounts"],
            "resourceNames": ["deployer"],
            "verbs": ["impersonate"],
        },
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]},
    ]


def test_the_policy_is_linked() -> None:
    """Readers of the README and of the page find how to report."""
    assert "vulnerability reporting" in (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert "`SECURITY.md`" in TEXT
    assert "](SECURITY.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
