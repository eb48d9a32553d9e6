"""`nopea export` with a cluster in memory."""

from __future__ import annotations

import json

import pytest
import yaml
from tests.unit.cli.conftest import Commands


def test_what_is_exported_can_be_applied_again(commands: Commands) -> None:
    """One document for each, without a status; what it needs is a comment, and the value is nowhere."""
    commands.store("other", namespace="data")

    result = commands.run("export", "-A", "--secrets")
    first, second = yaml.safe_load_all(result.stdout)

    assert result.exit_code == 0
    assert (first["metadata"], second["metadata"]["name"]) == ({"name": "other", "namespace": "data"}, "api")
    assert set(first) == {"apiVersion", "kind", "metadata", "spec"}
    assert json.loads(commands.run("export", "api", "-o", "json").stdout)["items"] == [second]
    assert commands.run("export", "-o", "name").stdout == "shop/api\n"


def test_nothing_to_export(commands: Commands) -> None:
    """A script that moves repositories must not take nothing for success."""
    result = commands.run("export", "-n", "data")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "→ There are no GitRepositories in namespace data.\n"


@pytest.mark.parametrize("arguments", [["-A", "api"], ["--secrets", "-o", "json"]])
def test_wrong_usage(commands: Commands, arguments: list[str]) -> None:
    """It has an exit code of its own."""
    assert commands.run("export", *arguments).exit_code == 2
