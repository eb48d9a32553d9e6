"""Git repositories and servers that tests share: real servers, on loopback only."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from nopea_lab.gitserver import Access, GitServer

__all__ = ["Access", "GitServer", "Origin"]

_IDENTITY = {
    "GIT_AUTHOR_NAME": "Acme Robot",
    "GIT_AUTHOR_EMAIL": "robot@acme.example",
    "GIT_COMMITTER_NAME": "Acme Robot",
    "GIT_COMMITTER_EMAIL": "robot@acme.example",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z",
    "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z",
}


class Origin:
    """A bare repository that a test fills: `commit` writes files to a branch and returns the commit's id."""

    def __init__(self, path: Path, *, branch: str = "main") -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--bare", f"--initial-branch={branch}", str(path), inside=False)

    def git(self, *arguments: str, input: bytes = b"", inside: bool = True, index: str = "") -> str:  # noqa: A002
        """Run Git on the repository and return its output."""
        where = ["--git-dir", str(self.path)] if inside else []
        environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **_IDENTITY}
        if index:
            environment["GIT_INDEX_FILE"] = index
        done = subprocess.run(
            ["git", *where, *arguments],
            input=input, capture_output=True, check=False, env=environment,
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(f"git {' '.join(arguments)}: {done.stderr.decode()}")
        return done.stdout.decode().strip()

    def commit(
        self, files: Mapping[str, str | bytes], *, branch: str = "main", message: str = "Change",
        orphan: bool = False, modes: Mapping[str, str] | None = None,
    ) -> str:  # fmt: skip
        """Replace the branch's tree by the files (`modes` overrides 100644); keep history unless `orphan`.

        A new branch begins at main.
        """
        lines = [b"commit refs/heads/" + branch.encode(), b"committer Acme Robot <robot@acme.example> now"]
        lines += [b"data %d" % len(message.encode()), message.encode()]
        old = self.tip(branch) or self.tip()
        if old and not orphan:
            lines.append(b"from " + old.encode())
        lines.append(b"deleteall")
        for path, content in files.items():
            raw = content.encode() if isinstance(content, str) else content
            mode = (modes or {}).get(path, "100644")
            if mode == "160000":
                lines.append(b"M 160000 %b %b" % (raw, path.encode()))
            else:
                lines += [b"M %b inline %b" % (mode.encode(), path.encode()), b"data %d" % len(raw), raw]
        stream = b"\n".join([*lines, b""])
        if orphan and self.tip(branch):
            self.git("update-ref", "-d", f"refs/heads/{branch}")
        self.git("fast-import", "--quiet", "--date-format=now", "--force", input=stream)
        return self.tip(branch)

    def tag(self, name: str, commit: str, *, annotated: bool = False) -> None:
        """Put a tag on a commit."""
        self.git("tag", *(["-a", "-m", name] if annotated else []), name, commit)

    def tip(self, branch: str = "main") -> str:
        """Return the id of the branch's last commit, or an empty string."""
        return self.git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")
