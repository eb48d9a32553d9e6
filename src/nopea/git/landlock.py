"""Restrict which files this process can open to a list, for the rest of its life: Linux's Landlock.

The promise: after `restrict`, this thread and all that it starts can read below `readable` and `exclusive`,
and write below `exclusive` only. They cannot execute a file but `executable`, serve a TCP port, trace or
signal a process outside, or open another process's files in `/proc`. What was open before stays open. An
older kernel (a lower ABI of Landlock) knows less of this; without Landlock, `restrict` does nothing and
returns 0.

Sources: landlock(7), landlock_create_ruleset(2), landlock_add_rule(2), landlock_restrict_self(2) and
https://docs.kernel.org/userspace-api/landlock.html for the numbers and the ABI of each right.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable
from pathlib import Path

# The numbers are the same on all architectures.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_FILE = 1 << 4, 1 << 5, 1 << 7, 1 << 8
_REFER, _TRUNCATE = 1 << 13, 1 << 14
# How many rights of files each ABI knows, beginning with the first: 5 added ioctl on devices, the last.
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
_LATEST_FILE_RIGHTS = 16
_NETWORK_ABI, _SCOPE_ABI = 4, 6
_BIND_TCP = 1 << 0
_SCOPED = 1 << 0 | 1 << 1  # abstract Unix sockets, signals

_READ = _READ_FILE | _READ_DIR
# No symbolic links, devices, sockets or pipes: the parent also works in this folder.
_CHANGE = _WRITE_FILE | _TRUNCATE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_FILE | _REFER
_OF_A_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE


def abi() -> int:
    """Return which version of Landlock the kernel has; 0 if it has none, or has it switched off."""
    libc = ctypes.CDLL(None, use_errno=True)
    found = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _CREATE_RULESET_VERSION)
    return max(0, int(found))


def restrict(
    *, readable: Iterable[Path], exclusive: Path | None = None, executable: Path | None = None
) -> int:
    """Restrict this thread and what it starts; returns the kernel's ABI, 0 if there is no Landlock.

    Paths that do not exist are skipped; symbolic links are followed now. Call it before threads are started.
    Raises OSError if the kernel has Landlock but refuses the rules.
    """
    libc, known = ctypes.CDLL(None, use_errno=True), abi()
    if not known:
        return 0
    handled = (1 << _FILE_RIGHTS.get(known, _LATEST_FILE_RIGHTS)) - 1
    attributes = struct.pack("=Q", handled)
    if known >= _NETWORK_ABI:
        attributes += struct.pack("=Q", _BIND_TCP)
    if known >= _SCOPE_ABI:
        attributes += struct.pack("=Q", _SCOPED)
    rules = _checked(libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0))
    try:
        for path in readable:
            _allow(libc, rules, path, _READ & handled)
        _allow(libc, rules, Path(os.devnull), (_READ_FILE | _WRITE_FILE) & handled)
        if exclusive is not None:
            _allow(libc, rules, exclusive, (_READ | _CHANGE) & handled)
        if executable is not None:
            _allow(libc, rules, executable, (_READ | _EXECUTE) & handled)
        _checked(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        _checked(libc.syscall(_RESTRICT_SELF, rules, 0))
    finally:
        os.close(rules)
    return known


def _allow(libc: ctypes.CDLL, rules: int, path: Path, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            rights &= _OF_A_FILE
        rule = struct.pack("=Qi", rights, place)
        _checked(libc.syscall(_ADD_RULE, rules, _RULE_PATH_BENEATH, rule, 0))
    finally:
        os.close(place)


def _checked(result: int) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result
