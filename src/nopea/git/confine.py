"""What a Git child does to itself before it works: it dies with its parent, and gives up rights and room.

libgit2 reads what strangers send. Whoever takes a child over has what it works with: the mirrors, and the
credentials of the requests that run in it. The rest must stay out of reach: the token of the service account,
other mounted Secrets, the controller, the node.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from nopea.git import landlock, seccomp

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_NICE = 5
_MAX_FILES = 4096
# What resolves names and checks certificates; OpenSSL and Python look for authorities in the folders.
_NAMES = (
    "/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf",
    "/etc/services", "/etc/passwd", "/etc/group", "/etc/localtime", "/etc/ld.so.cache",
    "/dev/urandom", "/dev/random",
)  # fmt: skip
_FOLDERS = ("/usr", "/lib", "/lib64", "/etc/ssl", "/etc/pki", "/etc/ca-certificates")
_SECRETS = (Path("/proc"), Path("/run/secrets"), Path("/var/run/secrets"), Path("/etc/nopea"))


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


def be_killed_first() -> None:
    """Have the kernel take memory from this process, and not from the controller.

    Called before `die_with`, after which the kernel keeps a process out of its own files in /proc.
    """
    with contextlib.suppress(OSError):  # not Linux, or a sandbox without it
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def limit_memory(limit_bytes: int) -> None:
    """Bound the private memory of this process; allocations beyond fail instead of growing.

    RLIMIT_DATA and not RLIMIT_AS: thread stacks and mapped pack files, which the kernel can drop, would eat
    most of an address-space limit and make it a limit on the number of threads.
    """
    resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, limit_bytes))


def enter_sandbox(cache_dir: Path, *, max_file_bytes: int, all_files: bool = False) -> list[str]:
    """Give up for good what only an intruder would use; returns what this kernel cannot take away.

    It can change files in the cache folder only. Beside it, it can read what Python, TLS and the resolver
    need; with `all_files`, which `file://` URLs need, everything but Secrets. Call it before threads are
    started. The limits are of open files and of the size of a file.
    """
    os.nice(_NICE)
    _lower(resource.RLIMIT_FSIZE, max_file_bytes)
    _lower(resource.RLIMIT_NOFILE, _MAX_FILES)
    needed = [*map(Path, _NAMES + _FOLDERS), *_python(), *_authorities()]
    readable = _all_but(Path("/"), _SECRETS) if all_files else needed
    missing = []
    try:
        if not landlock.restrict(readable=readable, exclusive=cache_dir):
            missing.append("the kernel does not restrict files: no Landlock")
    except OSError as error:
        missing.append(f"the kernel does not restrict files: Landlock: {error.strerror}")
    if not seccomp.refuse():
        missing.append("the kernel does not refuse system calls: no seccomp filter")
    return missing


def hide_from_children() -> None:
    """Close this process's files in `/proc` to its children, where Landlock does not do it.

    That also ends core dumps and debuggers, so it is not done without need.
    """
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None and not landlock.abi():
        prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _lower(limit: int, most: int) -> None:
    _, hard = resource.getrlimit(limit)
    most = most if hard == resource.RLIM_INFINITY else min(hard, most)
    resource.setrlimit(limit, (most, most))


def _python() -> Iterator[Path]:
    """Yield where modules are imported from, also after this."""
    yield from (Path(entry) for entry in (*sys.path, sys.prefix, sys.base_prefix) if entry)


def _authorities() -> Iterator[Path]:
    """Yield the certificates that the environment names, and the folder of a resolv.conf that is a link.

    A new resolv.conf replaces the file in that folder, and the old one is gone.
    """
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        yield from map(Path, filter(None, os.environ.get(name, "").split(":")))
    if Path("/etc/resolv.conf").is_symlink():
        yield Path("/etc/resolv.conf").resolve().parent


def _all_but(folder: Path, secrets: tuple[Path, ...]) -> Iterator[Path]:
    """Yield entries that together are the folder without the secrets: Landlock can only allow."""
    for entry in folder.iterdir():
        if entry.is_symlink() or entry in secrets:
            continue
        if any(secret.is_relative_to(entry) for secret in secrets):
            yield from _all_but(entry, secrets)
        else:
            yield entry


def take_pipes() -> tuple[int, int]:
    """Return private copies of standard input and output; what any library prints goes to standard error."""
    requests, answers = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return requests, answers
