"""What is left to the program that renders, tried in processes that enter the sandbox first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nopea.git import landlock

_ENTER = """
import os, socket, sys
from pathlib import Path
from nopea.render.launch import enter_sandbox
missing = enter_sandbox(Path(sys.argv[1]))
"""


def _tried(attempt: str, program: Path) -> str:
    tried = f"try:\n    {attempt}\n    print('done')\nexcept OSError as error:\n    print(error.errno)\n"
    done = subprocess.run(
        [sys.executable, "-c", _ENTER + tried, str(program)],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=program.parent,
    )
    return done.stdout.strip()


@pytest.mark.skipif(not landlock.abi(), reason="the kernel has no Landlock")
@pytest.mark.parametrize(
    ("attempt", "answer"),
    [
        ("open('/etc/passwd')", "13"),
        ("open('/proc/self/environ')", "13"),
        ("open('made', 'w')", "13"),
        ("os.listdir('/')", "13"),
        ("socket.socket()", "1"),
        ("os.fork()", "1"),
        ("os.kill(os.getppid(), 0)", "1"),
        ("os.execv('/bin/true', ['true'])", "13"),
        ("open(sys.argv[1]).read()", "done"),
    ],
)
def test_the_program_has_nothing_but_itself(attempt: str, answer: str, tmp_path: Path) -> None:
    """No file, no network, no other process; 13 is EACCES and 1 is EPERM."""
    program = tmp_path / "program"
    program.write_text("")

    assert _tried(attempt, program) == answer
