"""A child that renders, with a program that answers from a script."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from nopea.git.protocol import FrameError
from nopea.render.process import RenderProcess, RenderSettings


def _process(tmp_path: Path) -> RenderProcess:
    settings = RenderSettings(cache_dir=tmp_path, program=tmp_path / "nopea-render")
    return RenderProcess("1", settings, on_answer=lambda _: None)


def test_the_command_names_the_program_and_the_parent(tmp_path: Path) -> None:
    """No variable of this process reaches a template."""
    process = _process(tmp_path)

    assert process.command()[0] == sys.executable
    assert process.command()[-2:] == (str(os.getpid()), str(tmp_path / "nopea-render"))
    assert dict(process.environment()) == {"LANG": "C.UTF-8"}


def test_the_collector_keeps_below_the_limit(tmp_path: Path) -> None:
    """Else a program with much garbage would be killed for it."""
    assert _process(tmp_path).configuration(tmp_path)["memory_bytes"] == 384 * 1024**2


@pytest.mark.parametrize(
    "message", [{"id": 1, "ok": {}}, {"id": 1, "err": {"kind": "bug"}}, {"id": 1, "need": ["base"]}]
)
def test_every_answer_is_a_result(tmp_path: Path, message: dict[str, Any]) -> None:
    """What is wrong with a folder is no failure of the child."""
    assert _process(tmp_path).checked(message) == {"id": 1, "ok": message}


@pytest.mark.parametrize("message", [{"id": 1}, {"id": 1, "ok": {}, "err": {}}])
def test_anything_else_is_no_answer(tmp_path: Path, message: dict[str, Any]) -> None:
    """The child is replaced."""
    with pytest.raises(FrameError):
        _process(tmp_path).checked(message)
