"""`python -m nopea.render.launch PARENT PROGRAM`: becomes the program, without what it does not need.

The program reads what strangers wrote. It gets no network, no file but itself, no other process; it dies with
its parent. Its pipes are all that it has.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

from nopea.git import landlock, seccomp
from nopea.git.confine import be_killed_first, die_with

_NICE = 5


def enter_sandbox(program: Path) -> list[str]:
    """Give up for good what the program does not need; returns what this kernel cannot take away."""
    os.nice(_NICE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    missing = []
    try:
        if not landlock.restrict(readable=(), executable=program):
            missing.append("the kernel does not restrict files: no Landlock")
    except OSError as error:
        missing.append(f"the kernel does not restrict files: Landlock: {error.strerror}")
    if not seccomp.refuse(allow=("execve",), also=("socket", "socketpair")):
        missing.append("the kernel does not refuse system calls: no seccomp filter")
    return missing


def main() -> None:
    """Enter the sandbox and become the program."""
    parent, program = int(sys.argv[1]), Path(sys.argv[2])
    be_killed_first()
    die_with(parent)
    for missing in enter_sandbox(program):
        sys.stderr.write(f"{missing}\n")
    sys.stderr.flush()
    os.execve(program, [str(program), str(parent)], dict(os.environ))  # noqa: S606 — there is no shell


if __name__ == "__main__":
    main()
