"""What can be asked for is what there are commands for."""

from __future__ import annotations

from nopea.cli.main import SUBCOMMANDS
from nopea.dashboard.source import ACTIONS, DashboardError


def test_each_action_is_a_command() -> None:
    """So that what a button does can be read in one place."""
    assert set(ACTIONS) <= set(SUBCOMMANDS)


def test_error_says_what_and_what_to_do() -> None:
    """As the commands' errors do."""
    error = DashboardError("It does not work.", "Do this.")
    assert (str(error), error.hint) == ("It does not work.", "Do this.")
