"""Run a `nopea` command as a user does, and return its output."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from tests.e2e.process import PROGRAM

from nopea_lab.lab import Lab

SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Said:
    """The exit code and the output of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The standard output, parsed as one JSON document."""
        return dict(json.loads(self.out))


def say(lab: Lab, *arguments: str, stdin: str = "", seconds: float = SECONDS) -> Said:
    """Run `nopea` with the lab's kubeconfig until it ends; a traceback or a warning fails the test."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, *arguments],
        env={**os.environ, "KUBECONFIG": str(lab.kubeconfig)},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Said(done.returncode, done.stdout, done.stderr)


def say_on_a_terminal(lab: Lab, *arguments: str) -> Said:
    """Run `nopea` in a pseudo-terminal; `out` has both streams, including cursor control codes."""
    line = shlex.join([sys.executable, "-W", "error", "-c", PROGRAM, *arguments])
    done = subprocess.run(
        ["script", "--quiet", "--return", "--command", line, "/dev/null"],
        env={**os.environ, "KUBECONFIG": str(lab.kubeconfig), "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert "Traceback" not in done.stdout, done.stdout
    return Said(done.returncode, done.stdout, done.stderr)
