"""What a Git child does to itself before it works: it dies with its parent and cannot eat the node.

It never touches the controller's own process.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
from pathlib import Path

_NICE = 5
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4


class OrphanError(RuntimeError):
    """The parent was gone before the child could ask to die with it."""


def die_with(parent: int) -> None:
    """Ask the kernel to kill this process when its parent ends, and leave no core dump with secrets in it.

    Raises OrphanError when the parent has already ended. Where prctl is missing (not Linux) the closed pipe
    on standard input is the only sign, which the child's main loop obeys.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    if os.getppid() != parent:
        raise OrphanError(f"the parent {parent} has ended")


def step_back() -> None:
    """Let the controller go first: it gets the processor, and the kernel takes memory from this process.

    Called before `die_with`, after which the kernel keeps a process out of its own files in /proc.
    """
    os.nice(_NICE)
    with contextlib.suppress(OSError):  # not Linux, or a sandbox without it
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def limit_memory(limit_bytes: int) -> None:
    """Bound the private memory of this process; allocations beyond fail instead of growing.

    RLIMIT_DATA and not RLIMIT_AS: thread stacks and mapped pack files, which the kernel can drop, would eat
    most of an address-space limit and make it a limit on the number of threads.
    """
    resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, limit_bytes))


def take_pipes() -> tuple[int, int]:
    """Return private copies of standard input and output; what any library prints goes to standard error."""
    requests, answers = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return requests, answers
