"""`nopea completion`, and what a shell gets with its script."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.unit.cli.conftest import Commands

from nopea.cli.main import main


def _words(line: str) -> list[str]:
    """Return what a shell offers for the last word of a line."""
    words = line.split(" ")
    variables = {
        "_NOPEA_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    output = CliRunner(env=variables).invoke(main, [], prog_name="nopea").stdout
    return [each.partition(",")[2] for each in output.splitlines() if each]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(shell: str) -> None:
    """It asks `nopea` for the words."""
    result = CliRunner().invoke(main, ["completion", shell])

    assert result.exit_code == 0
    assert f"_NOPEA_COMPLETE={shell}_complete" in result.stdout


def test_bash_reads_the_script(tmp_path: Path) -> None:
    """Without an error."""
    script = tmp_path / "nopea.sh"
    script.write_text(CliRunner().invoke(main, ["completion", "bash"]).stdout)

    subprocess.run(["bash", "--norc", "-n", str(script)], check=True)


def test_commands_and_options_are_completed() -> None:
    """Without nopea-lab too."""
    assert _words("nopea st") == ["status"]
    assert {"lab", "why"} <= set(_words("nopea "))
    assert "--all-namespaces" in _words("nopea get --")


def test_names_are_completed(commands: Commands) -> None:
    """Those of the namespace, in the form that is begun."""
    commands.store("web")
    commands.store("other", namespace="data")

    assert _words("nopea why ") == ["api", "web"]
    assert _words("nopea get api w") == ["web"]
    assert _words("nopea sync gr/a") == ["gr/api"]
    assert _words("nopea sync data/") == ["data/other"]
    assert _words("nopea tree -n data ") == ["other"]
    commands.cluster.stop()
    assert _words("nopea why ") == []
