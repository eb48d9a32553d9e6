"""`nopea logs` with a cluster in memory; tests/e2e/test_verbs.py reads a real log."""

from __future__ import annotations

from tests.unit.cli.conftest import Commands


def test_without_a_controller(commands: Commands) -> None:
    """What to do instead is said."""
    result = commands.run("logs", "api")

    assert (result.exit_code, result.stdout) == (3, "")
    assert "No controller is known here" in result.stderr
    assert "`nopea events`" in result.stderr


def test_a_wrong_name(commands: Commands) -> None:
    """The name is checked first, and guessed."""
    result = commands.run("logs", "apu")

    assert (result.exit_code, "Did you mean `api -n shop`?" in result.stderr) == (3, True)
