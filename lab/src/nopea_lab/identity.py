"""Know a process again after a restart of ours, and never signal a stranger that got its number.

A pid alone names nobody: the kernel hands it out again. A pid with its start time and the boot does.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessIdentity:
    """One process of one boot: `started` is its start time in clock ticks since that boot."""

    pid: int
    started: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity | None:
        """Return the identity of a living process; None when it has ended, reaped or not."""
        with _pinned(pid) as handle:
            if handle is None or _has_ended(handle):
                return None
            started = _start_time(pid)
        if started is None:
            return None
        return cls(pid=pid, started=started, boot=_BOOT_ID.read_text().strip())

    @classmethod
    def parse(cls, raw: Any) -> ProcessIdentity | None:
        """Read what `as_json` wrote; None for anything else."""
        match raw:
            case {"pid": int(pid), "started": int(started), "boot": str(boot)} if pid > 0:
                return cls(pid=pid, started=started, boot=boot)
            case _:
                return None

    def as_json(self) -> dict[str, Any]:
        """Return a value for a JSON file."""
        return {"pid": self.pid, "started": self.started, "boot": self.boot}

    def is_alive(self) -> bool:
        """Say whether this very process still runs."""
        return ProcessIdentity.of(self.pid) == self

    def send(self, number: signal.Signals) -> None:
        """Signal this very process; do nothing when it is gone, whoever has its pid now."""
        with _pinned(self.pid) as handle, contextlib.suppress(ProcessLookupError):
            # The handle pins the process; only after that does the comparison mean anything.
            if handle is not None and self.is_alive():
                signal.pidfd_send_signal(handle, number)

    def wait_gone(self, *, deadline_seconds: float) -> bool:
        """Wait until the process has ended; False when it still runs after `deadline_seconds`."""
        with _pinned(self.pid) as handle:
            return handle is None or not self.is_alive() or _has_ended(handle, deadline_seconds)


@contextmanager
def _pinned(pid: int) -> Iterator[int | None]:
    """Yield a handle of the process that has this pid now; None when there is none."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        yield None
        return
    try:
        yield handle
    finally:
        os.close(handle)


def _has_ended(handle: int, within_seconds: float = 0.0) -> bool:
    """Say whether every thread has ended.

    `/proc` calls a process a zombie as soon as its first thread ends, while others still hold its sockets.
    """
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    return bool(poll.poll(within_seconds * 1000))


def _start_time(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command in parentheses may hold spaces and parentheses itself: count from the last one.
    return int(stat.rpartition(")")[2].split()[19])
