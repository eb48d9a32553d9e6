"""Run `nopea run` as a real process, observe it from outside, and end it by its process ID.

The kernel kills it when the test process dies; its log is kept in a file and parsed as JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.waiting import eventually

STARTED_SECONDS = 60.0
STOPPED_SECONDS = 60.0

# The line is searched for, not parsed: it may be JSON or text for a console.
_LISTENING = r"\blistening\b.*\b{serves}\b.*\bport\W+(\d+)"

# Before anything else, asks the kernel to kill the process when the test process ends.
_BOOT = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9, 0, 0, 0); "
    "os.getppid() == int(sys.argv.pop(1)) or sys.exit('orphan')\n"
)
AS_CONTROLLER = ("--apply-as-controller", "--cross-namespace-refs", "--allow-http-credentials")
"""What a test of another subject needs: its repositories name no service account and use plain http."""

PROGRAM = "from nopea.cli.main import main; main(prog_name='nopea')"
"""The Python program that runs the command line of `nopea`."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """The status and the body of a response."""

    status: int
    text: str


class Nopea:
    """One controller process; `arguments` are added to its command line, which `program` runs."""

    def __init__(
        self,
        *,
        kubeconfig: Path,
        folder: Path,
        arguments: tuple[str, ...] = (),
        program: str = PROGRAM,
        as_controller: bool = True,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log_path = folder / "nopea.log"
        options = (
            f"--kubeconfig={kubeconfig}", "--host=127.0.0.1", "--port=0", "--probe-port=0",
            f"--cache-dir={folder / 'cache'}", "--log-format=json", "--log-level=debug", "--git-networks=any",
            *(AS_CONTROLLER if as_controller else ()), *arguments,
        )  # fmt: skip
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "error", "-c", _BOOT + program, str(os.getpid()), "run", *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def pid(self) -> int:
        """The process ID."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code (negative: the signal that killed it), or None while it runs."""
        return self._process.poll()

    def wait_until_ready(self) -> None:
        """Wait until `/ready` answers 200."""
        eventually(self._assert_ready, seconds=STARTED_SECONDS)

    def get(self, path: str, *, accept: str = "*/*") -> HttpAnswer:
        """Send a GET request to its port of probes and metrics."""
        url = f"http://127.0.0.1:{self.probe_port}{path}"
        request = urllib.request.Request(url, headers={"Accept": accept})
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return HttpAnswer(answer.status, answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return HttpAnswer(error.code, error.read().decode())

    def log_text(self) -> str:
        """Return all output of the process."""
        return self.log_path.read_text()

    def logs(self, message: str = "", **facts: Any) -> list[dict[str, Any]]:
        """Return the log lines with this message and these facts; fails on a line that is not JSON."""
        lines = [
            json.loads(line) for line in self.log_text().splitlines(keepends=True) if line.endswith("\n")
        ]
        return [
            line
            for line in lines
            if (not message or line["message"] == message)
            and all(line.get(key) == value for key, value in facts.items())
        ]

    def children(self) -> list[int]:
        """Return the process IDs of its running children."""
        return [pid for pid, parent in _parents().items() if parent == self.pid]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        self._process.send_signal(number)

    def wait(self, *, seconds: float = STOPPED_SECONDS) -> int:
        """Wait until the process ends and return its exit code, as a shell reports it."""
        code = self._process.wait(timeout=seconds)
        return code if code >= 0 else 128 - code

    def stop(self) -> int:
        """Stop the process with SIGTERM and return its exit code; idempotent."""
        if self.exit_code is None:
            self.signal(signal.SIGTERM)
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise

    def kill(self) -> None:
        """Kill the process with SIGKILL, as the OOM killer does; idempotent."""
        self._process.kill()
        self._process.wait()

    @property
    def port(self) -> int:
        """The port of webhooks, read from the log."""
        return self._listening("webhooks")

    @property
    def probe_port(self) -> int:
        """The port of probes and metrics, read from the log."""
        return self._listening("probes")

    @property
    def dashboard_port(self) -> int:
        """The port of the dashboard, read from the log."""
        return self._listening("dashboard")

    def _listening(self, serves: str) -> int:
        found = re.search(_LISTENING.format(serves=serves), self.log_text())
        assert found, self.log_text()
        return int(found[1])

    def _assert_ready(self) -> None:
        assert self.exit_code is None, self.log_text()
        answer = self.get("/ready")
        assert answer.status == 200, answer.text


def _parents() -> dict[int, int]:
    """Return the parent of every living process."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
                if state not in "ZX":
                    parents[int(folder.name)] = int(parent)
    return parents


def is_alive(pid: int) -> bool:
    """Return whether the process is still running."""
    return pid in _parents()
