"""`nopea get` with a cluster in memory."""

from __future__ import annotations

import json

import pytest
import yaml
from tests.unit.cli.conftest import Commands


def test_a_namespace_is_listed(commands: Commands) -> None:
    """All namespaces with -A, which overrides -n as in kubectl; the table then names them."""
    commands.store("other", namespace="data")

    here, everywhere = commands.run("get"), commands.run("get", "-A", "-n", "shop")

    assert [line.split()[0] for line in here.stdout.splitlines()] == ["NAME", "api"]
    assert [line.split()[:2] for line in everywhere.stdout.splitlines()] == [
        ["NAMESPACE", "NAME"],
        ["data", "other"],
        ["shop", "api"],
    ]


def test_one_is_a_document_of_its_own(commands: Commands) -> None:
    """Several are a List, as with kubectl."""
    one = json.loads(commands.run("get", "gr/api", "-o", "json").stdout)
    several = yaml.safe_load(commands.run("get", "-o", "yaml").stdout)

    assert (one["kind"], one["metadata"]["name"]) == ("GitRepository", "api")
    assert (several["kind"], several["items"]) == ("List", [one])
    assert commands.run("get", "-o", "name").stdout == "shop/api\n"


def test_a_wrong_name_among_others(commands: Commands) -> None:
    """The others are shown; the exit code and a guess say what is missing."""
    result = commands.run("get", "api", "apu")

    assert (result.exit_code, len(result.stdout.splitlines())) == (3, 2)
    assert "GitRepository shop/apu does not exist." in result.stderr
    assert "Did you mean `api -n shop`?" in result.stderr


def test_an_empty_namespace(commands: Commands) -> None:
    """It is said to people; programs get an empty List."""
    result = commands.run("get", "-n", "data")

    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "→ There are no GitRepositories in namespace data.\n"
    assert json.loads(commands.run("get", "-n", "data", "-o", "json").stdout)["items"] == []


@pytest.mark.parametrize("arguments", [["-A", "api"], ["-o", "markdown"]])
def test_wrong_usage(commands: Commands, arguments: list[str]) -> None:
    """It has an exit code of its own."""
    assert commands.run("get", *arguments).exit_code == 2
