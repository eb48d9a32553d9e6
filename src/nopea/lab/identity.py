"""Know a process again after a restart of ours, and never signal a stranger that got its number.

A pid alone names nobody: the kernel hands it out again. A pid with its start time and the boot does.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessIdentity:
    """One process of one boot: `started` is its start time in clock ticks since that boot."""

    pid: int
    started: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity | None:
        """Return the identity of a living process; None when it is gone or only waits to be reaped."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return None
        # The command in parentheses may hold spaces and parentheses itself: count from the last one.
        fields = stat.rpartition(")")[2].split()
        state, started = fields[0], int(fields[19])
        if state in "ZX":
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
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            # The handle pins the process; only after that does the comparison mean anything.
            if self.is_alive():
                signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return
        finally:
            os.close(handle)

    def wait_gone(self, *, deadline_seconds: float) -> bool:
        """Wait until the process is gone; False when it still runs after `deadline_seconds`."""
        give_up_at = time.monotonic() + deadline_seconds
        while self.is_alive():
            if time.monotonic() > give_up_at:
                return False
            time.sleep(_POLL_SECONDS)
        return True
