"""`nopea status` with a cluster in memory."""

from __future__ import annotations

import json

from tests.fakes.samples import READY
from tests.unit.cli.conftest import Commands

from nopea.core.objects import RepoKey

BAD = {**READY, "status": "False", "message": "It failed."}


def test_everything_is_fine(commands: Commands) -> None:
    """One line, and nothing to do."""
    commands.store(status={"conditions": [READY]})

    result = commands.run("status")

    assert (result.exit_code, result.stdout) == (0, "1 GitRepository: 1 fine\n")


def test_something_needs_somebody(commands: Commands) -> None:
    """In any namespace, unless one is chosen."""
    commands.store(status={"conditions": [READY]})
    commands.store("other", namespace="data", status={"conditions": [BAD], "summary": "It failed"})

    everywhere, here = commands.run("status"), commands.run("status", "-n", "shop")

    assert everywhere.exit_code == 1
    assert everywhere.stdout.splitlines()[0] == "2 GitRepositories: 1 fine, 1 failing"
    assert "data/other" in everywhere.stdout
    assert (here.exit_code, here.stdout) == (0, "1 GitRepository: 1 fine\n")


def test_json_has_all_repositories(commands: Commands) -> None:
    """Also those that are fine."""
    commands.store(status={"conditions": [READY]})

    found = json.loads(commands.run("status", "--output=json").stdout)

    assert [each["repository"] for each in found["repositories"]] == [str(RepoKey("shop", "api"))]
    assert found["controller"]["running"] is True
