"""A Git child that somebody has taken over: the real one, but `head` tries to break out and says what worked.

Run instead of `nopea.git.child`, with the same arguments. The request's `commit` is a file that it must not
read, and its `mirror` is a file in the cache folder. `files` returns what the child inherited.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import resource
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nopea.git.child as real
from nopea.git.seccomp import REFUSED

_LIBC = ctypes.CDLL(None, use_errno=True)
_COLUMN = 0 if platform.machine() == "x86_64" else 1
_PTRACE_ATTACH, _NEW_USER_NAMESPACE = 16, 0x10000000


def attack(setup: real.Setup, request: dict[str, Any]) -> dict[str, str]:
    """Try everything, and return for each attempt `done` or the name of the error."""
    del setup
    parent, secret, mirror = os.getppid(), Path(request["commit"]), Path(request["mirror"])
    outside = secret.parent
    attempts: dict[str, Callable[[], object]] = {
        "read a secret": secret.read_bytes,
        "list its folder": lambda: [*outside.iterdir()],
        "change a secret": lambda: secret.write_bytes(b"mine"),
        "empty a secret": lambda: os.truncate(secret, 0),
        "delete a secret": secret.unlink,
        "write outside": lambda: (outside / "mine").write_bytes(b"x"),
        "link a mirror to the outside": lambda: (outside / "moved").hardlink_to(mirror),
        "link a secret into the cache": lambda: mirror.with_name("link").symlink_to(secret),
        "make a device": lambda: os.mknod(mirror.with_name("device"), 0o600 | 0o020000, os.makedev(1, 1)),
        "read the parent's environment": Path(f"/proc/{parent}/environ").read_bytes,
        "read the parent's memory": lambda: Path(f"/proc/{parent}/mem").open("rb").close(),
        "read the first process's environment": Path("/proc/1/environ").read_bytes,
        "signal the parent": lambda: os.kill(parent, 0),
        "signal a thread of the parent": lambda: _call("tgkill", parent, parent, 0),
        "limit the parent": lambda: resource.prlimit(parent, resource.RLIMIT_CPU, (1, 1)),
        "slow the parent down": lambda: os.setpriority(os.PRIO_PROCESS, parent, 19),
        "hold the parent on one CPU": lambda: os.sched_setaffinity(parent, {0}),
        "have a file signal the parent": lambda: fcntl.fcntl(0, fcntl.F_SETOWN, parent),
        "choose the signal": lambda: fcntl.fcntl(0, 10, signal.SIGKILL),
        "have a socket signal the parent": lambda: fcntl.ioctl(0, 0x8902, parent.to_bytes(4, "little")),
        "trace the parent": lambda: _call("ptrace", _PTRACE_ATTACH, parent, 0, 0),
        "copy the parent's memory": lambda: _call("process_vm_readv", parent, 0, 0, 0, 0, 0),
        "execute a program": lambda: os.execv("/bin/true", ["true"]),
        "spawn a program": lambda: os.posix_spawn("/bin/true", ["true"], {}),
        "fork": _forked,
        "enter a namespace": lambda: _call("unshare", _NEW_USER_NAMESPACE),
        "mount": lambda: _call("mount", 0, 0, 0, 0, 0),
        "use io_uring": lambda: _call("io_uring_setup", 1, 0),
        "load BPF": lambda: _call("bpf", 0, 0, 0),
        "read the keyring": lambda: _call("keyctl", 0, -3, 0),
        "outlive the parent": lambda: _prctl(1, 0),
        "be open to its peers": lambda: _prctl(4, 1),
        "open a packet socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close(),
        "open a raw socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).close(),
        "open a netlink socket": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close(),
        "open a Unix socket": lambda: socket.socket(socket.AF_UNIX).close(),
        "serve": lambda: socket.create_server(("127.0.0.1", 0)).close(),
        # What it must still be able to do, so that the others do not fail for another reason.
        "own: read the cache": mirror.read_bytes,
        "own: write the cache": lambda: mirror.with_name("new").write_bytes(b"x"),
        "own: rename in the cache": lambda: mirror.rename(mirror.with_name("renamed")),
        "own: write nowhere": lambda: Path(os.devnull).write_bytes(b"x"),
        "own: connect by TCP": lambda: socket.socket(socket.AF_INET).close(),
        "own: ask a name server": lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).close(),
        "own: resolve a name": lambda: socket.getaddrinfo("localhost", 443),
        "own: start a thread": _threaded,
        "own: limit itself": lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)),
        "own: signal itself": lambda: signal.pthread_kill(threading.get_ident(), 0),
        "own: import a module": lambda: __import__("xml.dom.minidom"),
    }
    return {name: _outcome(attempt) for name, attempt in attempts.items()}


def facts(setup: real.Setup, request: dict[str, Any]) -> dict[str, Any]:
    """Return what the child inherited."""
    del setup, request
    umask = os.umask(0)
    os.umask(umask)
    return {
        "environment": sorted(os.environ), "folder": str(Path.cwd()), "umask": umask, "nice": os.nice(0),
        "descriptors": [number for number in range(256) if _is_open(number)],
    }  # fmt: skip


def _outcome(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return "done"


def _call(name: str, *arguments: int) -> None:
    number = REFUSED[name][_COLUMN] if name in REFUSED else {"tgkill": (234, 131)}[name][_COLUMN]
    if _LIBC.syscall(number, *map(ctypes.c_long, arguments)) < 0:
        raise OSError(ctypes.get_errno(), name)


def _prctl(option: int, value: int) -> None:
    if _LIBC.prctl(option, value, 0, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), "prctl")


def _forked() -> None:
    if os.fork() == 0:
        os._exit(0)


def _threaded() -> None:
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    real._head, real._files = attack, facts
    real.main()
