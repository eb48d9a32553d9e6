"""The demo's Git server as a process of its own, so that it can outlive the command that started it.

Arguments: the folder of repositories and the loopback port. Serves fetches and pushes until it is ended.
"""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

from nopea_lab.gitserver import GitServer


def main(arguments: list[str]) -> None:
    """Serve until SIGTERM or SIGINT."""
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    with GitServer(Path(arguments[0]), port=int(arguments[1]), takes_pushes=True):
        told.wait()


if __name__ == "__main__":
    main(sys.argv[1:])
