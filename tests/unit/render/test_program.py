"""Where the program that renders is found."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from nopea.render.program import NAME, find_program


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run from a folder without the program."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setattr(sys, "argv", [str(folder / "nopea")])
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    return folder


def _program(path: Path, *, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return path


def test_the_variable_comes_first_then_beside_then_path_then_the_cache(nowhere: Path, tmp_path: Path) -> None:
    """The nearest one is taken."""
    cache = tmp_path / "cache"
    found = [find_program({}, cache_dir=cache)]
    cached = _program(cache / NAME)
    found.append(find_program({}, cache_dir=cache))
    in_path = _program(tmp_path / "path" / NAME)
    found.append(find_program({"PATH": str(in_path.parent)}, cache_dir=cache))
    beside = _program(nowhere / NAME)
    found.append(find_program({"PATH": str(in_path.parent)}, cache_dir=cache))
    named = _program(tmp_path / "mine")
    found.append(find_program({"NOPEA_RENDERER": str(named)}, cache_dir=cache))

    assert found == [None, cached, in_path, beside, named]


@pytest.mark.parametrize("mode", [None, 0o644])
def test_a_name_without_a_program_finds_none(nowhere: Path, tmp_path: Path, mode: int | None) -> None:
    """Another program in its place would render something else than what was asked for."""
    _program(nowhere / NAME)
    if mode is not None:
        _program(tmp_path / "mine", mode=mode)

    assert find_program({"NOPEA_RENDERER": str(tmp_path / "mine")}, cache_dir=tmp_path) is None
