"""A real Git child process, which receives frames as from its parent."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.gitserver import Origin

from nopea.git.protocol import MAX_FRAME, Decoder, ErrorKind, Op, encode

MIB = 1024 * 1024
ADDRESS = {
    "username": "robot",
    "password": b"hunter2",
    "token": b"",
    "identity": b"",
    "identity_password": b"",
    "proxy": "",
    "has_own_proxy": False,
}


class Conversation:
    """The standard input and output of a child."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._decoder = Decoder()
        self._answers: list[dict[str, Any]] = []

    def send(self, op: str, **fields: Any) -> None:
        """Send a request."""
        self.write(encode({"op": op, "seconds": 30, **fields}))

    def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """Wait for the next response."""
        assert self.process.stdout is not None
        while not self._answers:
            data = os.read(self.process.stdout.fileno(), MIB)
            assert data, "the child has ended"
            self._answers += self._decoder.feed(data)
        return self._answers.pop(0)

    def ask(self, op: str, **fields: Any) -> dict[str, Any]:
        """Send a request and wait for its response."""
        self.send(op, id=1, **fields)
        return self.answer()

    def end(self) -> int:
        """Close the pipe and return the exit code."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(20)


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    """Return a repository with two manifests on main."""
    made = Origin(tmp_path / "shop.git")
    made.commit({"a.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n", "b.yaml": "b: [\n"})
    return made


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Conversation]:
    """Yield a configured child with four threads."""
    command = [sys.executable, "-I", "-m", "nopea.git.child", str(os.getpid()), "4"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        conversation = Conversation(process)
        conversation.send(
            Op.CONFIGURE, id=0, home=str(tmp_path / "home"), cache=str(tmp_path), file_urls=True,
            ca_file="", networks="any",
            connect_timeout_ms=5000, server_timeout_ms=5000, memory_bytes=1024 * MIB,
            max_fetch_bytes=1024 * MIB, max_file_bytes=256 * MIB, max_packs=50, max_objects=1000,
            max_mirror_bytes=1024 * MIB,
        )  # fmt: skip
        assert conversation.answer() == {"id": 0, "ok": {}}
        try:
            yield conversation
        finally:
            process.kill()


def test_a_child_ends_with_its_pipe(child: Conversation) -> None:
    """The parent ends a child by closing its standard input."""
    assert child.end() == 0


def test_a_child_ends_on_an_invalid_frame(child: Conversation) -> None:
    """After an invalid frame, no later frame can be understood."""
    child.write(b"\xff" * 8)

    assert child.process.wait(20) != 0


def test_a_frame_may_come_in_pieces(child: Conversation, origin: Origin) -> None:
    """A frame may arrive byte by byte."""
    frame = encode({"id": 7, "op": Op.HEAD, "mirror": str(origin.path), "commit": origin.tip()})
    for byte in range(len(frame)):
        child.write(frame[byte : byte + 1])

    assert child.answer()["id"] == 7


def test_ls_remote_needs_no_mirror(child: Conversation, origin: Origin) -> None:
    """The response contains the commit."""
    address = {**ADDRESS, "url": f"file://{origin.path}"}

    assert child.ask(Op.LS_REMOTE, ref=("branch", "main"), address=address)["ok"] == {"id": origin.tip()}


def test_a_synced_mirror_is_listed_read_and_parsed(
    child: Conversation, origin: Origin, tmp_path: Path
) -> None:
    """Each operation uses the mirror that the previous one left."""
    mirror, address = str(tmp_path / "mirror.git"), {**ADDRESS, "url": f"file://{origin.path}"}
    request = {"ref": ("branch", "main"), "address": address, "mirror": mirror, "again": False, "history": 0}
    commit = child.ask(Op.SYNC, **request)["ok"]["id"]
    files = child.ask(Op.FILES, mirror=mirror, commit=commit, subpath="")["ok"]["files"]
    blobs = [blob for _, blob, _ in files]

    read = child.ask(Op.READ, mirror=mirror, blobs=blobs)["ok"]
    parsed = child.ask(Op.MANIFESTS, mirror=mirror, blobs=blobs)["ok"]["done"]
    paths = child.ask(Op.PATHS, mirror=mirror, commit=commit, paths=["", "gone"])["ok"]

    assert commit == origin.tip()
    assert read["done"][blobs[1]] == b"b: [\n"
    assert (paths["folders"], paths["missing"]) == ([""], ["gone"])
    assert [len(parsed[blob]["documents"]) for blob in blobs] == [1, 0]


def test_requests_are_answered_when_they_are_done(child: Conversation, origin: Origin) -> None:
    """Requests run concurrently; the id says to which request a response belongs."""
    for number in range(1, 21):
        child.send(Op.HEAD, id=number, mirror=str(origin.path), commit=origin.tip())

    assert {child.answer()["id"] for _ in range(20)} == set(range(1, 21))


def test_a_missing_mirror_is_an_error_response(child: Conversation, tmp_path: Path) -> None:
    """The parent then requests a clone."""
    error = child.ask(Op.HEAD, mirror=str(tmp_path / "nowhere"), commit="1" * 40)["err"]

    assert error["kind"] == ErrorKind.MIRROR


def test_an_unexpected_error_is_an_error_response(child: Conversation, origin: Origin) -> None:
    """A bug fails only its own request; the child continues."""
    assert child.ask("juggle")["err"]["kind"] == ErrorKind.BUG
    assert child.ask(Op.HEAD, mirror=str(origin.path), commit=origin.tip())["ok"]["id"] == origin.tip()


def test_no_response_contains_a_secret_of_its_request(child: Conversation) -> None:
    """A message that repeats the password is masked in the child."""
    address = {**ADDRESS, "url": "file:///nowhere/hunter2.git"}

    error = child.ask(Op.LS_REMOTE, ref=("branch", "main"), address=address)["err"]

    assert error["message"]
    assert "hunter2" not in error["message"]


def test_a_response_too_big_for_a_frame_is_an_error(child: Conversation, origin: Origin) -> None:
    """Otherwise the parent would have to kill the child because of an invalid frame."""
    origin.commit({"big.yaml": b"\0" * (MAX_FRAME + 1)})
    blob = origin.git("rev-parse", "main:big.yaml")

    assert child.ask(Op.READ, mirror=str(origin.path), blobs=[blob])["err"]["kind"] == ErrorKind.TOO_BIG
    assert child.ask(Op.HEAD, mirror=str(origin.path), commit=origin.tip())["ok"]


def test_memory_over_the_limit_is_an_error_response(
    child: Conversation, origin: Origin, tmp_path: Path
) -> None:
    """The child reports the error and continues."""
    child.send(
        Op.CONFIGURE, id=0, home=str(tmp_path / "small"), cache=str(tmp_path), file_urls=True,
        ca_file="", networks="any",
        connect_timeout_ms=5000, server_timeout_ms=5000, memory_bytes=64 * MIB,
        max_fetch_bytes=1024 * MIB, max_file_bytes=256 * MIB, max_packs=50, max_objects=1000,
            max_mirror_bytes=1024 * MIB,
    )  # fmt: skip
    child.answer()
    origin.commit({"big.yaml": b"\0" * 65 * MIB})
    blob = origin.git("rev-parse", "main:big.yaml")

    error = child.ask(Op.READ, mirror=str(origin.path), blobs=[blob])["err"]

    assert error["kind"] == ErrorKind.MEMORY
