"""The `nopea` command and its table of subcommands."""

from __future__ import annotations

import re
import shlex
import sys
from importlib.metadata import entry_points

import click
import pytest
from click.testing import CliRunner

from nopea import __version__
from nopea.cli.main import GROUPS, SUBCOMMANDS, main, plugin, plugin_completion

OWN = [name for name, (module, _) in SUBCOMMANDS.items() if module.startswith("nopea.")]


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


def _help(name: str) -> str:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    return " ".join((command.help or "").split())


def test_help_lists_every_command_with_its_summary() -> None:
    """Each is in one group, and the groups are those that docs/commands.md explains."""
    output = CliRunner().invoke(main, ["--help"]).stdout

    grouped = [name for names in GROUPS.values() for name in names]
    assert len(grouped) == len(set(grouped))
    assert SUBCOMMANDS.keys() <= set(grouped)
    assert all(f"\n{title}:\n" in output for title in GROUPS)
    for name, (_, summary) in SUBCOMMANDS.items():
        assert len(re.findall(rf"^  {name} +{re.escape(summary)}$", output, re.MULTILINE)) == 1


@pytest.mark.parametrize("name", OWN)
def test_every_command_has_an_example_that_it_accepts(name: str) -> None:
    """The example of the help is parsed by the command itself."""
    command = main.get_command(click.Context(main), name)
    assert command is not None
    (example,) = re.findall(rf"Example: nopea {name}( .*)?", command.help or "")

    command.make_context(name, shlex.split(example.partition(">")[0]))
    assert CliRunner().invoke(main, [name, "--help"]).exit_code == 0


@pytest.mark.parametrize("name", OWN)
def test_every_help_names_the_exit_codes(name: str) -> None:
    """0 first, and 2 for wrong usage in each."""
    codes = re.findall(r"[:,] (\d)(?= )", _help(name).partition("Exit codes")[2])

    assert codes[0] == "0"
    assert "2" in codes
    assert codes == sorted(codes)


def test_the_plugin_of_kubectl_says_how_it_was_called(capsys: pytest.CaptureFixture[str]) -> None:
    """kubectl runs the program `kubectl-nopea` with the arguments after `kubectl nopea`."""
    assert entry_points(group="console_scripts", name="kubectl-nopea")["kubectl-nopea"].load() is plugin
    sys.argv, before = ["kubectl-nopea", "sync"], sys.argv
    try:
        with pytest.raises(SystemExit, match="2"):
            plugin()
    finally:
        sys.argv = before

    assert "Usage: kubectl nopea sync [OPTIONS] NAME" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (["st"], ["status\tShow whether everything is all right.", ":4"]),
        (["sync", "--w"], ["--wait\t", ":4"]),
        (["plan", "-f", ""], [":0"]),
        (["nothing", "of", "this"], [":4"]),
    ],
)
def test_kubectl_completes_the_plugin(
    words: list[str], lines: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """kubectl runs `kubectl_complete-nopea`: a line for each word, then whether files are possible."""
    monkeypatch.setattr(sys, "argv", ["kubectl_complete-nopea", *words])

    plugin_completion()

    said = capsys.readouterr().out.splitlines()
    assert len(said) == len(lines)
    assert all(line.startswith(start) for line, start in zip(said, lines, strict=True)), said


def test_an_unknown_option_is_guessed() -> None:
    """As an unknown command is."""
    result = CliRunner().invoke(main, ["sync", "shop", "--wiat"])

    assert (result.exit_code, "Did you mean '--wait'?" in result.stderr) == (2, True)


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
