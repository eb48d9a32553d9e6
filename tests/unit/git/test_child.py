"""The child's side of the frames: every request has one answer, whatever happens to it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.gitserver import Origin

from nopea.core.secret import MASK
from nopea.git.child import Child, Setup
from nopea.git.failure import GitFailure
from nopea.git.mirror import MirrorLimits
from nopea.git.protocol import MAX_FRAME, Decoder, ErrorKind, Op, encode
from nopea.git.settings import MIB

SECRETS = {"password": b"pw-pw-pw", "token": b"tk-tk-tk", "identity": b"id-id-id", "identity_password": b""}


class Served:
    """A child in this process, configured for a folder, with the end of its pipe that the parent has."""

    def __init__(self, home: Path) -> None:
        self.answers, write = os.pipe()
        self.child = Child(write, threads=2)
        limits = MirrorLimits(max_packs=50, max_objects=1000)
        self.child._setup = Setup(home, False, MIB, MIB, limits)
        self._decoder = Decoder()

    def ask(self, op: str, **fields: Any) -> dict[str, Any]:
        """Ask and return the answer."""
        self.child.take({"id": 7, "op": op, **fields})
        messages: list[dict[str, Any]] = []
        while not messages:
            messages = self._decoder.feed(os.read(self.answers, MIB))
        (answer,) = messages
        assert answer["id"] == 7
        return answer

    def answer_with(self, operation: Callable[[], Any]) -> dict[str, Any]:
        """Ask for something that does this."""
        self.child._operations["odd"] = lambda setup, request: operation()  # noqa: ARG005
        return self.ask("odd", address=SECRETS)

    def close(self) -> None:
        """End its threads and the pipe."""
        self.child._threads.shutdown()
        os.close(self.answers)
        os.close(self.child._answers)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A configured child."""
    served = Served(tmp_path)
    yield served
    served.close()


def failing(error: BaseException) -> Callable[[], Any]:
    """Return an operation that raises it."""

    def operation() -> Any:
        raise error

    return operation


def test_a_commit_is_read_from_a_mirror(served: Served, tmp_path: Path) -> None:
    """Its facts, its files and their contents, asked one after the other."""
    origin = Origin(tmp_path / "shop.git")
    commit = origin.commit({"a.yaml": "a: 1\n"}, message="First line\n\nmore")
    mirror = str(origin.path)

    head = served.ask(Op.HEAD, mirror=mirror, commit=commit)["ok"]
    ((path, blob, size),) = served.ask(Op.FILES, mirror=mirror, commit=commit, subpath="")["ok"]["files"]
    contents = served.ask(Op.READ, mirror=mirror, blobs=[blob])["ok"]

    assert (head["id"], head["message"]) == (commit, "First line")
    assert (path, size) == ("a.yaml", 5)
    assert contents == {"done": {blob: b"a: 1\n"}, "rest": []}


def test_a_mirror_that_is_not_there_is_said_to_be_damaged(served: Served) -> None:
    """The parent has it cloned again."""
    assert served.ask(Op.HEAD, mirror="/nonexistent", commit="a" * 40)["err"]["kind"] == ErrorKind.MIRROR


def test_a_failure_is_answered_with_its_facts(served: Served) -> None:
    """Kind, message and whatever the parent needs for a hint."""
    failure = GitFailure(ErrorKind.PATH_MISSING, "there is no folder x", at="", folders=["deploy"])

    assert served.answer_with(failing(failure))["err"] == {
        "kind": "path_missing", "message": "there is no folder x", "at": "", "folders": ["deploy"],
    }  # fmt: skip


@pytest.mark.parametrize(
    "error",
    [GitFailure(ErrorKind.UNREACHABLE, "bad tk-tk-tk"), ValueError("bad tk-tk-tk")],
    ids=["failure", "bug"],
)
def test_a_message_holds_no_secret_of_its_request(served: Served, error: Exception) -> None:
    """Libraries quote what they were given."""
    message = served.answer_with(failing(error))["err"]["message"]

    assert "tk-tk-tk" not in message
    assert f"bad {MASK}" in message


def test_a_bug_is_an_answer(served: Served) -> None:
    """An unexpected exception or an unknown operation does not leave a request without an answer."""
    bug = served.answer_with(failing(ZeroDivisionError("oops")))["err"]
    unknown = served.ask("dance")["err"]

    assert bug == {"kind": "bug", "message": "ZeroDivisionError: oops"}
    assert unknown["kind"] == ErrorKind.BUG


def test_a_request_before_the_configuration_is_a_bug(served: Served) -> None:
    """The parent configures a child first."""
    served.child._setup = None

    assert served.ask(Op.HEAD, mirror="/x", commit="a" * 40)["err"]["kind"] == ErrorKind.BUG


def test_memory_that_is_not_there_is_an_answer(served: Served) -> None:
    """The parent tries the request alone."""
    assert served.answer_with(failing(MemoryError()))["err"]["kind"] == ErrorKind.MEMORY


def test_an_answer_over_the_frame_limit_is_too_big(served: Served) -> None:
    """The request fails; the stream goes on with the next answer."""
    assert served.answer_with(lambda: bytes(MAX_FRAME))["err"]["kind"] == ErrorKind.TOO_BIG
    assert served.answer_with(lambda: "small")["ok"] == "small"


def program(parent: int) -> subprocess.Popen[bytes]:
    """Start the child as a program."""
    return subprocess.Popen(
        [sys.executable, "-m", "nopea.git.child", str(parent), "2"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def test_the_program_configures_itself_answers_and_ends_with_the_pipe(tmp_path: Path) -> None:
    """Two frames that arrive at once, then the end: it leaves with exit code 0."""
    configuration = {
        "id": 0, "op": Op.CONFIGURE, "home": str(tmp_path), "ca_file": "", "proxy": False,
        "connect_timeout_ms": 1000, "server_timeout_ms": 1000, "memory_bytes": 200 * MIB,
        "max_fetch_bytes": MIB, "max_file_bytes": MIB, "max_packs": 50, "max_objects": 1000,
    }  # fmt: skip
    head = {"id": 1, "op": Op.HEAD, "mirror": "/nonexistent", "commit": "a" * 40}
    with program(os.getpid()) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(encode(configuration) + encode(head))
        child.stdin.flush()
        decoder = Decoder()
        answers: list[dict[str, Any]] = []
        while len(answers) < 2:
            answers += decoder.feed(os.read(child.stdout.fileno(), MIB))
        child.stdin.close()

        assert child.wait(timeout=10) == 0

    assert answers[0] == {"id": 0, "ok": {}}
    assert (answers[1]["id"], answers[1]["err"]["kind"]) == (1, "mirror")


def test_the_program_does_not_serve_a_stranger() -> None:
    """A child whose parent has gone meanwhile ends at once."""
    child = program(1 if os.getppid() != 1 else 2)

    _, errors = child.communicate(timeout=10)

    assert child.returncode != 0
    assert b"OrphanError" in errors


def test_the_program_ends_when_its_parent_speaks_nonsense() -> None:
    """It cannot find the next frame."""
    child = program(os.getpid())

    _, errors = child.communicate(b"\xff\xff\xff\xff", timeout=10)

    assert child.returncode != 0
    assert b"FrameTooBigError" in errors
