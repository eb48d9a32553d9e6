"""The `nopea` command and its table of subcommands."""

from __future__ import annotations

import sys

import pytest
from click.testing import CliRunner

from nopea import __version__
from nopea.cli.main import SUBCOMMANDS, main


@pytest.mark.parametrize("name", ["lab", "demo"])
def test_without_nopea_lab_it_says_how_to_install_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the missing package and how to install it; the exit code is 1."""
    for module in [module for module in sys.modules if module.partition(".")[0] == "nopea_lab"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "nopea_lab", None)

    result = CliRunner().invoke(main, [name])

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"Error: `nopea {name}` needs the package nopea-lab, which is not installed. "
        "Install it with `pip install 'nopea[lab]'`, or with `pip install ./lab` in a checkout.\n"
    )


def test_help_lists_every_command_with_its_summary() -> None:
    """The commands are listed in the order of the table."""
    output = CliRunner().invoke(main, ["--help"]).stdout

    positions = [output.index(f"  {name} ") for name in SUBCOMMANDS]
    assert positions == sorted(positions)
    assert all(summary in output for _, summary in SUBCOMMANDS.values())


@pytest.mark.usefixtures("commands")
@pytest.mark.parametrize(("value", "is_coloured"), [("", True), ("1", False)])
def test_no_color_turns_colours_off(value: str, *, is_coloured: bool) -> None:
    """The variable counts in every command if it is not empty (no-color.org)."""
    result = CliRunner(env={"NO_COLOR": value}).invoke(main, ["history", "nowhere"], color=True)

    assert ("\x1b[" in result.stderr) is is_coloured


def test_an_unknown_command_is_wrong_usage() -> None:
    """An unknown command ends with exit code 2."""
    result = CliRunner().invoke(main, ["deploy"])

    assert (result.exit_code, "No such command 'deploy'" in result.stderr) == (2, True)


def test_the_version_is_that_of_the_package() -> None:
    """`--version` prints the program's name and the version of the package."""
    assert CliRunner().invoke(main, ["--version"]).stdout == f"nopea, version {__version__}\n"


@pytest.mark.parametrize(("typed", "meant"), [("statsu", "'status'"), ("confirm_prune", "'confirm-prune'")])
def test_an_unknown_command_is_guessed(typed: str, meant: str) -> None:
    """As Git does; the exit code is that of wrong usage."""
    result = CliRunner().invoke(main, [typed])

    assert result.exit_code == 2
    assert f"No such command '{typed}'. Did you mean {meant}?" in result.stderr
