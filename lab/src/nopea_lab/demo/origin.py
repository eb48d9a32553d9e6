"""The sample repository in Git: a bare one that is served, and a clone from which changes are pushed.

Runs the `git` command as a person would, but with none of the user's configuration or proxies.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

from nopea_lab.demo.shop import DemoCommit
from nopea_lab.errors import LabError

_DEADLINE_SECONDS = 30.0
_BRANCH = "main"


def find_git() -> str:
    """Return the path of git. Raises LabError where there is none."""
    git = shutil.which("git")
    if git is None:
        raise LabError("git is not on the PATH.", hint="Install it, for example with `apt-get install git`.")
    return git


class Origin:
    """The repository `shop.git` under `repositories`, and its clone. Making the object needs git."""

    def __init__(self, *, repositories: Path, clone: Path) -> None:
        self._bare = repositories / "shop.git"
        self._clone = clone
        self._program = find_git()

    def create(self) -> None:
        """Make the bare repository; whoever reaches the server may push to it."""
        self._bare.parent.mkdir(parents=True, exist_ok=True)
        self._git("init", "--quiet", "--bare", f"--initial-branch={_BRANCH}", str(self._bare))
        self._git("-C", str(self._bare), "config", "http.receivepack", "true")

    def announce_with(self, *command: str) -> None:
        """Let the server run a command after each push, with Git's lines about it on standard input."""
        hook = self._bare / "hooks" / "post-receive"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\nexec {shlex.join(command)}\n")
        hook.chmod(0o755)

    def clone(self, url: str) -> None:
        """Clone it over HTTP, with an author, so that the user can commit there as well."""
        self._git("clone", "--quiet", url, str(self._clone))
        self._in_clone("config", "user.name", "Acme Shop")
        self._in_clone("config", "user.email", "shop@acme.example")

    def commit(self, change: DemoCommit) -> str:
        """Make the change in the clone, commit it and return the commit's id."""
        for name, text in change.files.items():
            (self._clone / name).parent.mkdir(exist_ok=True)
            (self._clone / name).write_text(text)
        for name in change.removed:
            (self._clone / name).unlink()
        self._in_clone("add", "--all")
        self._in_clone("commit", "--quiet", "-m", change.message)
        return self._in_clone("rev-parse", "HEAD")

    def push(self) -> None:
        """Push over HTTP; returns when the server has it."""
        self._in_clone("push", "--quiet", "origin", f"HEAD:{_BRANCH}")

    def _in_clone(self, *arguments: str) -> str:
        return self._git("-C", str(self._clone), *arguments)

    def _git(self, *arguments: str) -> str:
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self._bare.parent),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
        }
        try:
            done = subprocess.run(
                [self._program, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_DEADLINE_SECONDS,
                check=True,
                env=environment,
            )
        except subprocess.SubprocessError as error:
            said = (getattr(error, "stderr", None) or "").strip()
            raise LabError(
                f"git {' '.join(arguments)} failed.", detail=said, hint="Run the demo again."
            ) from error
        return done.stdout.strip()
