"""Requests to a lab's keeper: a JSON line each way, and one error when no keeper answers."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nopea_lab.control import MAX_LINE, SOCKET_NAME, Control, KeeperGoneError, ProcessReport, read_line
from nopea_lab.errors import LabError


@contextmanager
def _keeper(folder: Path, answer: bytes) -> Iterator[list[bytes]]:
    """Answer one request in the folder; yields a list that gets the request."""
    requests: list[bytes] = []
    handle = os.open(folder, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"/proc/self/fd/{handle}/{SOCKET_NAME}")
        listener.listen(1)

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                requests.append(read_line(connection))
                connection.sendall(answer)

        serving = threading.Thread(target=serve)
        serving.start()
        try:
            yield requests
        finally:
            serving.join(timeout=5)
            os.close(handle)


def test_processes_are_reported_by_name(tmp_path: Path) -> None:
    """A running process has no exit code; a folder's long path is not an obstacle."""
    folder = tmp_path / ("long-" * 30)
    folder.mkdir()
    answer = {"processes": {"etcd": {"pid": 7, "exit_code": None}, "kwok": {"pid": 8, "exit_code": -9}}}

    with _keeper(folder, json.dumps(answer).encode() + b"\n") as requests:
        processes = Control(folder).processes()

    assert processes == {
        "etcd": ProcessReport(pid=7, exit_code=None),
        "kwok": ProcessReport(pid=8, exit_code=-9),
    }
    assert json.loads(requests[0]) == {"op": "processes"}


def test_a_refused_request_is_an_error_with_the_keepers_reason(tmp_path: Path) -> None:
    """The reason is quoted, and the hint names the logs."""
    with _keeper(tmp_path, b'{"error": "end etcd: KeyError"}\n'), pytest.raises(LabError) as raised:
        Control(tmp_path).end("etcd")

    assert "end etcd: KeyError" in raised.value.message
    assert str(tmp_path / "logs") in raised.value.hint


@pytest.mark.parametrize("answer", [b"", b'{"processes": ', b"nonsense\n"])
def test_a_keeper_that_ends_early_or_talks_nonsense_is_gone(tmp_path: Path, answer: bytes) -> None:
    """Half an answer is as good as none."""
    with _keeper(tmp_path, answer), pytest.raises(KeeperGoneError):
        Control(tmp_path).processes()


def test_without_a_keeper_the_hint_is_how_to_start_one(tmp_path: Path) -> None:
    """Neither an empty folder nor a missing one has a keeper."""
    for folder in (tmp_path, tmp_path / "missing"):
        assert not Control(folder).is_there()
        with pytest.raises(KeeperGoneError) as raised:
            Control(folder).detach()
        assert raised.value.hint == "Start it with `nopea lab up`."


def test_a_line_has_a_bound() -> None:
    """A peer that never ends its line cannot fill the memory."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sending = threading.Thread(target=theirs.sendall, args=(b"x" * (MAX_LINE + 1),))
        sending.start()
        with pytest.raises(ConnectionError):
            read_line(ours)
        ours.close()
        sending.join(timeout=5)
