"""Run the lab's kubectl and return what it prints.

Leaves nothing in the user's home: its cache is beside the kubeconfig.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

_DEADLINE_SECONDS = 60.0


class KubectlError(Exception):
    """kubectl said no; the text is its standard error."""

    def __init__(self, command: str, *, stderr: str, exit_code: int) -> None:
        super().__init__(f"{command} ended with {exit_code}: {stderr.strip()}")
        self.stderr = stderr
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubectl:
    """A kubectl with its kubeconfig; call it with arguments."""

    binary: Path
    kubeconfig: Path

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        """Run it and return its standard output.

        Raises KubectlError when it fails, subprocess.TimeoutExpired after a minute.
        """
        cache = self.kubeconfig.parent / "kubectl-cache"
        command = [str(self.binary), f"--kubeconfig={self.kubeconfig}", f"--cache-dir={cache}", *arguments]
        done = subprocess.run(
            command, input=stdin or "", capture_output=True, text=True, timeout=_DEADLINE_SECONDS, check=False
        )
        if done.returncode:
            shown = " ".join(("kubectl", *arguments))
            raise KubectlError(shown, stderr=done.stderr, exit_code=done.returncode)
        return done.stdout
