"""The filter of system calls: evaluated for both architectures, and tried in processes of its own."""

from __future__ import annotations

import errno
import os
import platform
import re
import socket
import struct
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from nopea.git import seccomp
from nopea.git.seccomp import REFUSED

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
ALLOW, EPERM, ENOSYS = 0x7FFF0000, 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS
ARGUMENT_CALLS = {
    "clone": (56, 220),
    "clone3": (435, 435),
    "socket": (41, 198),
    "prctl": (157, 167),
    "tgkill": (234, 131),
}
THREAD_FLAGS = 0x3D0F00
UNKNOWN, OLD_X86 = 0x40000028, 0x40000003  # the architectures 32-bit ARM and 32-bit x86


def decision(architecture: str, number: int, *arguments: int, of: int | None = None) -> int:
    """Return what the filter decides about a call, as linux/filter.h says that its instructions work."""
    of = ARCHITECTURES[architecture] if of is None else of
    data = struct.pack("<iIQ6Q", number, of, 0, *(*arguments, *[0] * 6)[:6])
    value, at, program = 0, 0, seccomp._program(architecture, seccomp.REFUSED)
    while True:
        code, yes, no, operand = struct.unpack("=HBBI", program[at])
        at += 1
        match code:
            case 0x20:
                (value,) = struct.unpack_from("<I", data, operand)
            case 0x54:
                value &= operand
            case 0x06:
                return int(operand)
            case _:
                is_so = {0x15: value == operand, 0x45: bool(value & operand), 0x35: value >= operand}[code]
                at += yes if is_so else no


@pytest.mark.parametrize("architecture", ARCHITECTURES)
class TestFilter:
    """The decisions of the filter on one architecture."""

    def test_every_listed_call_is_refused(self, architecture: str) -> None:
        """Each call fails with EPERM, so that a library that tries it goes on without."""
        column = list(ARCHITECTURES).index(architecture)
        numbers = [numbers[column] for numbers in REFUSED.values() if numbers[column] is not None]

        assert {decision(architecture, number) for number in numbers if number is not None} == {EPERM}

    def test_ordinary_calls_work(self, architecture: str) -> None:
        """All other calls are allowed: here read, write, mmap, connect, futex, openat, getrandom."""
        numbers = {
            "x86_64": (0, 1, 9, 42, 202, 257, 318), "aarch64": (63, 64, 222, 203, 98, 56, 278),
        }[architecture]  # fmt: skip

        assert {decision(architecture, number) for number in numbers} == {ALLOW}

    def test_only_the_calls_of_this_architecture_exist(self, architecture: str) -> None:
        """The same numbers mean other calls for 32-bit programs and for x32."""
        assert decision(architecture, 1, of=UNKNOWN) == EPERM
        assert decision(architecture, 1, of=OLD_X86) == EPERM
        if architecture == "x86_64":
            assert decision(architecture, 0x40000000 + 1) == EPERM

    def test_threads_are_started_and_processes_are_not(self, architecture: str) -> None:
        """The C library is told that clone3 does not exist, and then uses clone, whose flags are visible."""
        clone, clone3 = (ARGUMENT_CALLS[name][column_of(architecture)] for name in ("clone", "clone3"))

        assert decision(architecture, clone3) == ENOSYS
        assert decision(architecture, clone, THREAD_FLAGS) == ALLOW
        assert decision(architecture, clone, 17) == EPERM  # SIGCHLD: fork
        assert decision(architecture, clone, 0x10000000) == EPERM  # a new user namespace

    @pytest.mark.parametrize("flags", [0, socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK])
    def test_only_tcp_and_udp_sockets_are_made(self, architecture: str, flags: int) -> None:
        """Raw, packet, netlink, vsock and Unix sockets are refused; they could reach services of a node."""
        number = ARGUMENT_CALLS["socket"][column_of(architecture)]
        stream, datagram, raw = (each | flags for each in (1, 2, 3))

        assert {
            decision(architecture, number, family, each) for family in (2, 10) for each in (stream, datagram)
        } == {ALLOW}
        assert {decision(architecture, number, family, stream) for family in (0, 1, 16, 17, 40)} == {EPERM}
        assert {decision(architecture, number, family, raw) for family in (2, 10)} == {EPERM}

    def test_it_signals_only_itself_and_stays_under_its_parent(self, architecture: str) -> None:
        """A child cannot keep the kernel from ending it with its parent."""
        tgkill, prctl = (ARGUMENT_CALLS[name][column_of(architecture)] for name in ("tgkill", "prctl"))

        assert decision(architecture, tgkill, os.getpid(), 1, 6) == ALLOW
        assert decision(architecture, tgkill, os.getppid(), 1, 9) == EPERM
        assert decision(architecture, prctl, 15) == ALLOW  # the name of a thread
        assert {decision(architecture, prctl, option) for option in (1, 4)} == {EPERM}

    def test_the_numbers_are_those_of_the_kernels_headers(self, architecture: str) -> None:
        """Each number is the one of the header; calls without one do not exist there."""
        if not HEADERS[architecture].exists():
            pytest.skip("the headers of the kernel are not installed (linux-libc-dev)")
        text = HEADERS[architecture].read_text(encoding="ascii")
        numbers = {
            name: int(number) for name, number in re.findall(r"#define\s+__NR(?:3264)?_(\w+)\s+(\d+)", text)
        }
        column = column_of(architecture)

        for name, known in (REFUSED | ARGUMENT_CALLS).items():
            assert known[column] == numbers.get(name), name


def column_of(architecture: str) -> int:
    """Return the column of the architecture's numbers."""
    return list(ARCHITECTURES).index(architecture)


@pytest.mark.skipif(platform.machine() not in ARCHITECTURES, reason="there is no filter for this machine")
def test_the_kernel_takes_the_filter() -> None:
    """In a process of its own: no program starts, a thread does, and abort() ends it with its signal."""
    code = """
        import os, threading
        from nopea.git import seccomp
        assert seccomp.refuse()
        for attempt in (os.fork, lambda: os.execv("/bin/true", ["true"])):
            try:
                attempt()
            except PermissionError as error:
                print(error.strerror)
        thread = threading.Thread(target=print, args=("thread",))
        thread.start()
        thread.join()
        os.abort()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False, timeout=60
    )

    assert done.stdout == "Operation not permitted\nOperation not permitted\nthread\n", done.stderr
    assert done.returncode == -6


def test_other_machines_go_on_without_a_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    """A number that means another call would break the process."""
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")

    assert seccomp.refuse() is False
