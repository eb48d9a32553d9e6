"""`nopea why` with a cluster in memory."""

from __future__ import annotations

import json

from tests.fakes.samples import READY
from tests.unit.cli.conftest import Commands

ERROR = {"code": "NOPEA-G002", "message": "The login is \x1b[31mrefused.", "hint": "Check the Secret."}


def test_an_error_needs_somebody(commands: Commands) -> None:
    """Nothing in it controls the terminal."""
    commands.store(status={"conditions": [READY], "errors": [ERROR], "errorCount": 1})

    result = commands.run("why", "api")

    assert result.exit_code == 1
    assert "NOPEA-G002: The login is" in result.stdout
    assert "  → Check the Secret." in result.stdout
    assert "\x1b" not in result.stdout


def test_a_suspension_does_not(commands: Commands) -> None:
    """It is told all the same, also as JSON."""
    commands.store(status={"conditions": [READY]}, suspend=True)

    result = commands.run("why", "api", "-o", "json")

    assert result.exit_code == 0
    assert [each["kind"] for each in json.loads(result.stdout)["concerns"]] == ["suspended"]


def test_a_name_that_does_not_exist(commands: Commands) -> None:
    """It is no answer."""
    assert commands.run("why", "nothing").exit_code == 3


def test_without_a_name_all_that_need_somebody_are_shown(commands: Commands) -> None:
    """Worst first; where there is none, that is not the same as nothing being there."""
    commands.store("fine", status={"conditions": [READY]})
    commands.store("api", status={"conditions": [READY | {"status": "False", "message": "It is lost."}]})

    result = commands.run("why")

    assert result.exit_code == 1
    assert "It is lost." in result.stdout
    assert "shop/api" in result.stdout
    assert "shop/fine" not in result.stdout
    assert "no GitRepositories in namespace data" in commands.run("why", "-n", "data").stdout
    assert len(json.loads(commands.run("why", "-A", "-o", "json").stdout)["repositories"]) == 1
