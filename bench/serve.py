"""Serve a folder of Git repositories until the parent closes the pipe or sends SIGTERM."""

from __future__ import annotations

import sys
from pathlib import Path

from nopea_lab.gitserver import GitServer


def main() -> None:
    """Print the URL of the folder, then wait."""
    with GitServer(Path(sys.argv[1])) as server:
        print(server.url(""), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
