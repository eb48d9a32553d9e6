"""Talk to a lab's keeper: one JSON line each way over a Unix socket in the lab's folder.

The socket is reached through the folder's descriptor, because a socket's path may have 107 bytes at most.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nopea_lab.errors import LabError

SOCKET_NAME = "control.sock"
MAX_LINE = 256 * 1024
GRACE_SECONDS = 5.0
_ANSWER_SECONDS = 5.0


class KeeperGoneError(LabError):
    """No keeper answers for this folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessReport:
    """What the keeper knows of a process; `exit_code` is negative for a signal, None while it runs."""

    pid: int
    exit_code: int | None


@dataclass(frozen=True, slots=True)
class Control:
    """The keeper of the lab in `folder`. Every call raises KeeperGoneError when none answers."""

    folder: Path

    def is_there(self) -> bool:
        """Say whether a keeper answers."""
        try:
            self.processes()
        except KeeperGoneError:
            return False
        return True

    def processes(self) -> dict[str, ProcessReport]:
        """Return what the keeper holds or held, by name."""
        answer = self._ask({"op": "processes"})
        return {
            name: ProcessReport(pid=entry["pid"], exit_code=entry["exit_code"])
            for name, entry in answer["processes"].items()
        }

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start a process unless it runs already; its output goes to its log."""
        self._ask({"op": "start", "name": name, "command": list(command)})

    def end(self, name: str, *, grace_seconds: float = GRACE_SECONDS) -> None:
        """End a process and return when it is gone: SIGTERM, and SIGKILL after the grace (0: at once)."""
        self._ask({"op": "end", "name": name, "grace": grace_seconds}, wait_seconds=grace_seconds)

    def detach(self) -> None:
        """Let the lab outlive its owner."""
        self._ask({"op": "detach"})

    def shut_down(self, *, processes: int, grace_seconds: float = GRACE_SECONDS) -> None:
        """End all, the latest started first, then the keeper."""
        self._ask({"op": "shut down", "grace": grace_seconds}, wait_seconds=grace_seconds * processes)

    def _ask(self, request: dict[str, Any], *, wait_seconds: float = 0.0) -> dict[str, Any]:
        try:
            with _connected(self.folder) as connection:
                connection.settimeout(wait_seconds + _ANSWER_SECONDS)
                connection.sendall(json.dumps(request).encode() + b"\n")
                answer = json.loads(read_line(connection))
        except (OSError, ValueError) as error:
            raise KeeperGoneError(
                f"No lab runs in {self.folder}: {error}.", hint="Start it with `nopea lab up`."
            ) from error
        if "error" in answer:
            raise LabError(
                f"The lab's keeper refused the request: {answer['error']}.", hint=f"See {self.folder}/logs."
            )
        return dict(answer)


@contextmanager
def _connected(folder: Path) -> Iterator[socket.socket]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_ANSWER_SECONDS)
            connection.connect(f"/proc/self/fd/{handle}/{SOCKET_NAME}")
            yield connection
    finally:
        os.close(handle)


def read_line(connection: socket.socket) -> bytes:
    """Read up to a newline. Raises ConnectionError for an early end or a line over the bound."""
    line = b""
    while not line.endswith(b"\n"):
        part = connection.recv(65536)
        if not part or len(line) + len(part) > MAX_LINE:
            raise ConnectionError("the other side ended early or sent too much")
        line += part
    return line
