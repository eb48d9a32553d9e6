"""The keeper: a small process that holds a lab's processes, so that none outlives the lab.

It ends them when its owner's pipe closes (the kernel closes it however the owner dies), when it is told to,
and when it gets SIGTERM; should it be killed itself, the kernel kills them (PR_SET_PDEATHSIG). It knows
nothing of Kubernetes and never restarts anything on its own.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from nopea_lab.control import GRACE_SECONDS, SOCKET_NAME, read_line
from nopea_lab.identity import ProcessIdentity
from nopea_lab.layout import Layout
from nopea_lab.state import LabState

_PR_SET_PDEATHSIG = 1
_REQUEST_SECONDS = 2.0
_ORPHAN_GRACE_SECONDS = 1.0


class Keeper:
    """Holds the processes of one lab; single-threaded, serves one request at a time."""

    def __init__(self, layout: Layout, *, listener: socket.socket, owner: int | None) -> None:
        self._layout = layout
        self._listener = listener
        self._owner = owner
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._ending = False
        self._orphaned = False
        self._operations: dict[str, Callable[[dict[str, Any]], None]] = {
            "processes": lambda _: None,
            "start": lambda request: self._start(request["name"], request["command"]),
            "end": lambda request: self._end(request["name"], float(request["grace"])),
            "detach": lambda _: self._detach(),
            "shut down": lambda request: self._shut_down(float(request["grace"])),
        }
        self._selector = selectors.DefaultSelector()

    def run(self) -> None:
        """Serve until told to end, then leave no process behind."""
        self._selector.register(self._listener, selectors.EVENT_READ, self._serve)
        if self._owner is not None:
            self._selector.register(self._owner, selectors.EVENT_READ, self._lose_owner)
        wake_up = self._listen_to_signals()
        self._selector.register(wake_up, selectors.EVENT_READ, lambda: self._wake(wake_up))
        self._record()
        try:
            while not self._ending:
                for key, _ in self._selector.select():
                    key.data()
        finally:
            self._shut_down(_ORPHAN_GRACE_SECONDS if self._orphaned else GRACE_SECONDS)
            if self._orphaned:
                # The owner can no longer remove it, and etcd's log files are big.
                shutil.rmtree(self._layout.data, ignore_errors=True)
            self._layout.state.unlink(missing_ok=True)
            (self._layout.folder / SOCKET_NAME).unlink(missing_ok=True)

    def _listen_to_signals(self) -> socket.socket:
        receiving, sending = socket.socketpair()
        receiving.setblocking(False)
        sending.setblocking(False)
        signal.set_wakeup_fd(sending.detach())
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_end_signal)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # only wakes the loop
        return receiving

    def _wake(self, wake_up: socket.socket) -> None:
        """Reap the children that a signal may have told of."""
        wake_up.recv(4096)
        for child in self._children.values():
            child.poll()
        self._record()

    def _on_end_signal(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._ending = True

    def _lose_owner(self) -> None:
        self._orphaned = self._ending = True

    def _detach(self) -> None:
        if self._owner is not None:
            self._selector.unregister(self._owner)
            os.close(self._owner)
            self._owner = None

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            connection.settimeout(_REQUEST_SECONDS)
            try:
                request = json.loads(read_line(connection))
                connection.sendall(json.dumps(self._answer(request)).encode() + b"\n")
            except (OSError, ValueError) as error:
                print(f"request dropped: {error!r}", file=sys.stderr, flush=True)  # noqa: T201 - its log

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            self._operations[request["op"]](request)
        except (KeyError, OSError) as error:
            return {"error": f"{request.get('op')} {request.get('name', '')}: {error!r}"}
        processes = {
            name: {"pid": child.pid, "exit_code": child.poll()} for name, child in self._children.items()
        }
        return {"processes": processes}

    def _start(self, name: str, command: list[str]) -> None:
        child = self._children.get(name)
        if child is not None and child.poll() is None:
            return
        with self._layout.log(name).open("ab") as log:
            self._children[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._layout.folder,
                preexec_fn=die_with_parent(os.getpid()),  # noqa: PLW1509 - the keeper has one thread
            )
        self._record()

    def _end(self, name: str, grace_seconds: float) -> None:
        child = self._children[name]
        if child.poll() is None and grace_seconds > 0:
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(grace_seconds)
        if child.poll() is None:
            child.kill()
            child.wait()
        self._record()

    def _shut_down(self, grace_seconds: float) -> None:
        for name in reversed(list(self._children)):
            self._end(name, grace_seconds)
        self._ending = True

    def _record(self) -> None:
        running = {name: ProcessIdentity.of(child.pid) for name, child in self._children.items()}
        LabState(
            keeper=ProcessIdentity.of(os.getpid()),
            processes={name: process for name, process in running.items() if process is not None},
        ).write(self._layout.state)


def die_with_parent(parent: int) -> Callable[[], None]:
    """Return what a child runs before its program: the kernel shall kill it when `parent` dies."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def set_signal() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:  # it died before the kernel was told
            os._exit(1)

    return set_signal


def main(arguments: list[str]) -> None:
    """Listen, then go on in the background: when this returns in the caller's child, requests are served."""
    folder, owner = Path(arguments[0]), int(arguments[1])
    os.chdir(folder)
    Path(SOCKET_NAME).unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(SOCKET_NAME)
        listener.listen(16)
        if os.fork():
            os._exit(0)
        os.setsid()  # a Ctrl-C in the caller's terminal is not for us
        Keeper(Layout(folder), listener=listener, owner=owner).run()


if __name__ == "__main__":
    main(sys.argv[1:])
