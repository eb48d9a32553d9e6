"""What a process does to itself before it works, tried in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from nopea.git.settings import MIB


def run(code: str, *, input: str = "") -> subprocess.CompletedProcess[str]:  # noqa: A002
    """Run Python code in a process of its own."""
    prelude = "import os, resource, sys\nfrom nopea.git.confine import *\n"
    return subprocess.run(
        [sys.executable, "-c", prelude + code],
        input=input, capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip


def test_a_process_leaves_no_core_dump() -> None:
    """Memory with secrets in it is not written to disk."""
    done = run(f"die_with({os.getpid()}); print(resource.getrlimit(resource.RLIMIT_CORE))")

    assert done.stdout == "(0, 0)\n"


def test_an_orphan_does_not_start() -> None:
    """The parent ended before its child could ask to die with it."""
    done = run("die_with(1 if os.getppid() != 1 else 2)")

    assert done.returncode != 0
    assert "OrphanError: the parent" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_a_child_dies_with_its_parent() -> None:
    """However the parent ends: the kernel kills the child, and the pipe that it held closes."""
    child = (
        "import os, sys, time\\nfrom nopea.git.confine import die_with\\n"
        "die_with(int(sys.argv[1])); print(os.getpid(), flush=True); time.sleep(60)"
    )
    done = run(
        "import signal, subprocess\n"
        f"child = subprocess.Popen([sys.executable, '-c', '{child}', str(os.getpid())],"
        " stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )  # returns only when nobody holds standard error any more

    assert done.returncode == -9
    assert done.stderr == ""


def test_memory_beyond_the_limit_is_an_error() -> None:
    """An allocation fails; the process lives on."""
    done = run(
        f"limit_memory({100 * MIB})\n"
        f"try: bytearray({200 * MIB})\n"
        "except MemoryError: print('refused')\n"
        f"print(len(bytearray({20 * MIB})))"
    )

    assert done.stdout == f"refused\n{20 * MIB}\n"


def test_what_a_library_prints_stays_out_of_the_answers() -> None:
    """Standard output goes to standard error, standard input is empty; the pipes have other numbers."""
    done = run(
        "requests, answers = take_pipes()\n"
        "print('a library prints', flush=True)\n"
        "assert sys.stdin.read() == ''\n"
        "os.write(answers, os.read(requests, 100).upper())",
        input="request",
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "REQUEST", "a library prints\n")
