"""Take system calls away from this process that a Git child never needs; for the rest of its life.

The promise: after `refuse`, this thread and all that it starts cannot start a program or another process,
trace, signal, limit or slow one down, enter a namespace, mount, load code into the kernel, use io_uring, or
listen on a socket: each attempt fails with EPERM. New sockets are TCP or UDP over IP only. All other calls
work: libraries use different ones from version to version, so this is a list of what is refused. On other
architectures than x86_64 and aarch64, and on kernels without seccomp, `refuse` does nothing, returning False.

Sources: seccomp(2), prctl(2), clone(2), socket(2); linux/filter.h, linux/seccomp.h and linux/audit.h for the
numbers of the filter; asm/unistd_64.h (x86_64) and asm-generic/unistd.h (aarch64) for those of the calls.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import socket
import struct
import sys
from collections.abc import Collection, Mapping

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
_SECCOMP_MODE_FILTER = 2
_CLONE_THREAD = 0x10000
_SOCKET_TYPE = 0xF  # the rest of the argument is flags
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000  # the bit of x86_64's second numbering

# By name: the number on x86_64 and on aarch64, where there is one.
REFUSED: dict[str, tuple[int | None, int | None]] = {
    "execve": (59, 221), "execveat": (322, 281), "fork": (57, None), "vfork": (58, None),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "process_madvise": (440, 440), "process_mrelease": (448, 448), "kcmp": (312, 272),
    "kill": (62, 129), "tkill": (200, 130), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424),
    "unshare": (272, 97), "setns": (308, 268), "chroot": (161, 51), "pivot_root": (155, 41),
    "mount": (165, 40), "umount2": (166, 39), "mount_setattr": (442, 442), "move_mount": (429, 429),
    "open_tree": (428, 428), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432),
    "fspick": (433, 433), "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264),
    "mknod": (133, None), "mknodat": (259, 33), "swapon": (167, 224), "swapoff": (168, 225),
    "quotactl": (179, 60), "quotactl_fd": (443, 443), "acct": (163, 89), "fanotify_init": (300, 262),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "syslog": (103, 116),
    "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "reboot": (169, 142), "vhangup": (153, 58),
    "iopl": (172, None), "ioperm": (173, None), "modify_ldt": (154, None), "personality": (135, 92),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "clock_adjtime": (305, 266),
    "adjtimex": (159, 171), "sethostname": (170, 161), "setdomainname": (171, 162),
    "sched_setaffinity": (203, 122), "sched_setscheduler": (144, 119), "sched_setparam": (142, 118),
    "sched_setattr": (314, 274), "ioprio_set": (251, 30),
    "listen": (50, 201), "accept": (43, 202), "accept4": (288, 242),
}  # fmt: skip
MAY_BE_REFUSED: dict[str, tuple[int | None, int | None]] = {"socket": (41, 198), "socketpair": (53, 199)}
# Calls that depend on their arguments, and the one that the C library must believe to be missing.
_CLONE, _CLONE3 = (56, 220), (435, 435)
_SOCKET, _PRCTL, _TGKILL = (41, 198), (157, 167), (234, 131)
_PRLIMIT, _SETPRIORITY, _FCNTL, _IOCTL = (302, 261), (141, 140), (72, 25), (16, 29)
_SIGNALS = {_FCNTL: (8, 10, 15), _IOCTL: (0x8901, 0x8902)}
"""Commands that have a file send a signal: F_SETOWN, F_SETSIG, F_SETOWN_EX; FIOSETOWN, SIOCSPGRP."""

# linux/filter.h: load a word; jump if equal, if a bit is set, if at least; and, return.
_LOAD, _IF_EQUAL, _IF_SET, _IF_LEAST, _AND, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x54, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT, _SECOND_ARGUMENT = 0, 4, 16, 24  # struct seccomp_data, little endian
_ALLOW = 0x7FFF0000
_ERROR = 0x00050000


def refuse(*, allow: Collection[str] = (), also: Collection[str] = ()) -> bool:
    """Refuse the calls from now on; call it before threads are started. False where this is not possible.

    `allow` are names of `REFUSED` that are not refused, `also` names of `MAY_BE_REFUSED` that are.
    """
    architecture = platform.machine()
    if architecture not in _AUDIT_ARCH or sys.byteorder != "little" or sys.maxsize <= 2**32:
        return False
    refused = {name: numbers for name, numbers in REFUSED.items() if name not in allow}
    refused |= {name: MAY_BE_REFUSED[name] for name in also}
    code = b"".join(_program(architecture, refused))
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(code, len(code))
    # struct sock_fprog: the number of instructions and their address, aligned.
    program = struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer))
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    return bool(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, program) == 0)


def _program(architecture: str, calls: Mapping[str, tuple[int | None, int | None]]) -> list[bytes]:
    """Return the filter. The number of the call is loaded first; a part that is not about it is passed."""
    column = list(_AUDIT_ARCH).index(architecture)
    refused, missing = _return(_ERROR | errno.EPERM), _return(_ERROR | errno.ENOSYS)
    program = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_IF_EQUAL, _AUDIT_ARCH[architecture], yes=1), refused,
        _step(_LOAD, _NUMBER),
        *([_step(_IF_LEAST, _X32, no=1), refused] if architecture == "x86_64" else []),
    ]  # fmt: skip
    for numbers in calls.values():
        if (number := numbers[column]) is not None:
            program += [_step(_IF_EQUAL, number, no=1), refused]
    # Without clone3 the C library uses clone, whose flags a filter can see: only threads are allowed.
    program += [_step(_IF_EQUAL, _CLONE3[column], no=1), missing]
    program += _about(_CLONE[column], [
        _step(_LOAD, _FIRST_ARGUMENT), _step(_IF_SET, _CLONE_THREAD, no=1), _return(_ALLOW), refused,
    ])  # fmt: skip
    program += _about(_TGKILL[column], [  # abort() and pthread_kill() signal the own process
        _step(_LOAD, _FIRST_ARGUMENT), _step(_IF_EQUAL, os.getpid(), no=1), _return(_ALLOW), refused,
    ])  # fmt: skip
    program += _about(_PRLIMIT[column], [  # 0 is the own process; a limit of its CPU time ends another
        _step(_LOAD, _FIRST_ARGUMENT), _step(_IF_EQUAL, 0, no=1), _return(_ALLOW), refused,
    ])  # fmt: skip
    program += _about(_SETPRIORITY[column], [  # it may make itself nicer
        _step(_LOAD, _SECOND_ARGUMENT), _step(_IF_EQUAL, 0, no=1), _return(_ALLOW), refused,
    ])  # fmt: skip
    for call, commands in _SIGNALS.items():
        each = [part for command in commands for part in (_step(_IF_EQUAL, command, no=1), refused)]
        program += _about(call[column], [_step(_LOAD, _SECOND_ARGUMENT), *each, _return(_ALLOW)])
    program += _about(_PRCTL[column], [  # it stays under the parent's control, and closed to its peers
        _step(_LOAD, _FIRST_ARGUMENT),
        _step(_IF_EQUAL, _PR_SET_PDEATHSIG, no=1), refused,
        _step(_IF_EQUAL, _PR_SET_DUMPABLE, no=1), refused,
        _return(_ALLOW),
    ])  # fmt: skip
    program += _about(_SOCKET[column], [
        _step(_LOAD, _FIRST_ARGUMENT),
        _step(_IF_EQUAL, socket.AF_INET, yes=2), _step(_IF_EQUAL, socket.AF_INET6, yes=1), refused,
        _step(_LOAD, _SECOND_ARGUMENT), _step(_AND, _SOCKET_TYPE),
        _step(_IF_EQUAL, socket.SOCK_STREAM, yes=2), _step(_IF_EQUAL, socket.SOCK_DGRAM, yes=1), refused,
        _return(_ALLOW),
    ])  # fmt: skip
    return [*program, _return(_ALLOW)]


def _about(number: int, steps: list[bytes]) -> list[bytes]:
    """Return the steps for one call; they end with a decision, and others jump over them."""
    return [_step(_IF_EQUAL, number, no=len(steps)), *steps]


def _step(code: int, operand: int, *, yes: int = 0, no: int = 0) -> bytes:
    """Return a struct sock_filter; `yes` and `no` say how many steps a comparison skips."""
    return struct.pack("=HBBI", code, yes, no, operand)


def _return(decision: int) -> bytes:
    return _step(_RETURN, decision)
