"""Every command of docs/tutorial.md works as the page shows it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.docs.console import Terminal, steps_of

from nopea_lab.binaries import Binaries
from nopea_lab.lab import Lab

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "tutorial.md"


@pytest.fixture
def environment(tmp_path: Path, pods_binaries: Binaries) -> Iterator[dict[str, str]]:
    """Return the variables of a reader with an empty home folder; end the reader's lab afterwards."""
    del pods_binaries  # built before the test, so that `nopea lab up` finds them
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NOPEA_", "GIT_"))}
    kept.pop("KUBECONFIG", None)
    person = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER")
              for what, value in (("NAME", "Ann"), ("EMAIL", "ann@acme.example"))}  # fmt: skip
    yield {
        **kept,
        **person,
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")),
        "NOPEA_LAB_DIR": str(tmp_path / "lab"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        # A test's controller may not use the ports of another's.
        "NOPEA_HOST": "127.0.0.1",
        "NOPEA_PORT": "0",
        "NOPEA_PROBE_PORT": "0",
    }
    Lab.open(tmp_path / "lab").stop()


@pytest.mark.timeout(600)
def test_every_command_prints_what_the_page_shows(environment: dict[str, str]) -> None:
    """A reader types all commands, in both terminals, and sees what the page shows."""
    steps = steps_of(PAGE.read_text(encoding="utf-8"))
    last_of_second = [step for step in steps if step.terminal == "Terminal 2"][-1]
    assert len(steps) > 40

    with (
        Terminal(folder=ROOT, environment=environment) as first,
        Terminal(folder=ROOT, environment=environment) as second,
    ):
        for step in steps:
            if step is last_of_second:
                second.start(step.command)
                continue
            wrong = (second if step.terminal else first).run(step)
            assert not wrong, f"docs/tutorial.md differs:\n{wrong}"
