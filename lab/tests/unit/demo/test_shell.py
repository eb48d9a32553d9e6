"""What is printed can be pasted into a shell."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from nopea_lab.demo.folder import DemoFolder, default_folder
from nopea_lab.demo.shell import quoted, this_program


def test_paths_are_quoted_and_shortened(monkeypatch: pytest.MonkeyPatch) -> None:
    """A space is quoted; the home folder is `~`, outside the quotes so that the shell expands it."""
    monkeypatch.setenv("HOME", "/home/acme")

    assert quoted(Path("/home/acme/state/demo")) == "~/state/demo"
    assert quoted(Path("/home/acme/my demo")) == "~/'my demo'"
    assert quoted(Path("/srv/my demo")) == "'/srv/my demo'"


def test_the_program_is_named_as_it_can_be_called_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By name when it is the one on the PATH, else by its path; as a module when it was called as one."""
    program = tmp_path / "nopea"
    program.touch(mode=0o755)
    monkeypatch.setattr(sys, "argv", [str(program)])

    monkeypatch.setenv("PATH", "/nowhere")
    assert this_program() == quoted(program)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert this_program() == "nopea"

    monkeypatch.setattr(sys, "argv", ["/somewhere/nopea/__main__.py"])
    assert this_program() == f"{quoted(Path(sys.executable))} -m nopea"


def test_the_end_command_names_the_folder_where_it_is_not_the_usual_one(tmp_path: Path) -> None:
    """One command ends a demo, wherever it is."""
    assert DemoFolder(default_folder()).end_command.endswith(" demo --end")
    assert DemoFolder(tmp_path).end_command.endswith(f" demo --end --dir {quoted(tmp_path)}")
