"""The restrictions that a Git child sets for itself, tested in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path


def run(code: str, *, input: str = "") -> str:  # noqa: A002
    """Run the code in a new interpreter and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(os.getpid())],
        capture_output=True, text=True, check=False, timeout=60, input=input,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_child_is_killed_when_its_parent_ends() -> None:
    """The kernel kills the child, even if it is not reading from its parent."""
    code = """
        import os, sys, time
        from nopea.git.confine import die_with
        parent = os.getpid()
        ready, told = os.pipe()
        child = os.fork()
        if child == 0:
            die_with(parent)
            os.write(told, b"x")
            time.sleep(60)
            os._exit(0)
        os.read(ready, 1)
        print(child, flush=True)
        os._exit(0)
    """
    child = int(run(code))
    # `run` returns when the child's pipe is closed, which is before the child is a zombie.
    deadline = time.monotonic() + 10
    while state(child) not in {"gone", "Z"}:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def state(pid: int) -> str:
    """Return the letter of a process's state: Z for a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "gone"


def test_a_child_whose_parent_has_ended_does_not_start() -> None:
    """The parent's id is compared after the request to the kernel, so there is no race."""
    code = """
        from nopea.git.confine import OrphanError, die_with
        try:
            die_with(1 << 22)
        except OrphanError as error:
            print(error)
    """
    assert run(code) == f"the parent {1 << 22} has ended\n"


def test_a_child_leaves_no_core_dump() -> None:
    """Memory that contains credentials is never written to disk."""
    code = """
        import resource, sys
        from nopea.git.confine import die_with
        die_with(int(sys.argv[1]))
        print(resource.getrlimit(resource.RLIMIT_CORE))
    """
    assert run(code) == "(0, 0)\n"


def test_memory_over_the_limit_is_refused() -> None:
    """The process gets a MemoryError and continues."""
    code = """
        from nopea.git.confine import limit_memory
        limit_memory(128 * 1024 * 1024)
        try:
            bytearray(256 * 1024 * 1024)
        except MemoryError:
            print("refused")
        print(len(bytearray(1024 * 1024)))
    """
    assert run(code) == "refused\n1048576\n"


def test_only_the_private_pipe_carries_responses() -> None:
    """What a library prints goes to standard error, and standard input is empty."""
    code = """
        import os, sys
        from nopea.git.confine import take_pipes
        requests, answers = take_pipes()
        print("noise", flush=True)
        assert sys.stdin.read() == ""
        os.write(answers, os.read(requests, 100).upper())
    """
    assert run(code, input="request") == "REQUEST"


def test_a_child_steps_back_behind_the_controller() -> None:
    """The kernel kills it first when memory is short, and it has less of the processor."""
    code = """
        import os
        from pathlib import Path
        from nopea.git.confine import step_back
        before = os.nice(0)
        step_back()
        print(Path("/proc/self/oom_score_adj").read_text().strip())
        print(os.nice(0) == min(before + 5, 19))
    """
    assert run(code) == "1000\nTrue\n"
