"""A Git child process from the parent's side: started, configured, used, killed and reaped."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.git.conftest import alive, until

from nopea.git.process import HOMES, GitProcess, Trust
from nopea.git.protocol import MAX_FRAME, Op, encode
from nopea.git.settings import GitSettings
from nopea.tasks import end, spawn


class Parent:
    """Starts a child and keeps its responses."""

    def __init__(self, cache: Path, trust: Trust) -> None:
        self.answers: list[dict[str, Any]] = []
        settings = GitSettings(cache_dir=cache)
        self.child = GitProcess("1", settings, trust, on_answer=self.answers.append)

    def ask(self, number: int) -> None:
        """Ask for the head of a mirror that does not exist."""
        self.child.send(encode({"id": number, "op": Op.HEAD, "mirror": "/nowhere", "commit": "c0ffee"}))


@asynccontextmanager
async def started(
    cache: Path, trust: Trust | None = None
) -> AsyncIterator[tuple[Parent, asyncio.Task[None]]]:
    """Run a child until the context is closed; then it must have ended."""
    parent = Parent(cache, trust or Trust())
    running = spawn(parent.child.run(), name="child")
    pid = await until(lambda: parent.child.pid)
    try:
        yield parent, running
    finally:
        await end(running)
    assert not alive(pid)
    assert list((cache / HOMES).iterdir()) == []


async def test_requests_before_the_child_is_ready_are_answered(tmp_path: Path) -> None:
    """They are sent after the configuration, and answered once each."""
    async with started(tmp_path) as (parent, _):
        assert not parent.child.ready
        for number in (1, 2, 3):
            parent.ask(number)

        await until(lambda: len(parent.answers) == 3)

        assert parent.child.ready
        assert sorted(answer["id"] for answer in parent.answers) == [1, 2, 3]
        assert {answer["err"]["kind"] for answer in parent.answers} == {"mirror"}


async def test_a_killed_child_is_reaped_and_its_home_removed(tmp_path: Path) -> None:
    """`run` returns, no zombie is left, and nothing more is sent."""
    async with started(tmp_path) as (parent, running):
        await until(lambda: parent.child.ready)
        assert parent.child.resident_bytes() > 1024**2

        parent.child.kill()
        async with asyncio.timeout(10):
            await running

        assert parent.child.pid is None
        assert parent.child.resident_bytes() == 0
        parent.ask(1)
        assert parent.answers == []


async def test_a_child_that_dies_ends_the_run(tmp_path: Path) -> None:
    """A SIGKILL from outside ends `run`, so that the pool can repeat the requests."""
    async with started(tmp_path) as (parent, running):
        await until(lambda: parent.child.ready)

        os.kill(parent.child.pid or 0, 9)

        async with asyncio.timeout(10):
            await running
        assert not parent.child.ready


async def test_trusted_keys_are_in_its_home_and_no_secret_in_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libgit2 reads both files; the controller's environment is not inherited, as it may contain secrets."""
    monkeypatch.setenv("NOPEA_WEBHOOK_SECRET", "s3cret")
    async with started(tmp_path, Trust(ca_crt="PEM", known_hosts="git.example ssh-ed25519 AAAA")) as (
        parent,
        _,
    ):
        await until(lambda: parent.child.pid)
        (home,) = (tmp_path / HOMES).iterdir()

        assert (home / ".ssh" / "known_hosts").read_text() == "git.example ssh-ed25519 AAAA"
        assert (home / "ca.crt").read_text() == "PEM"
        assert home.stat().st_mode & 0o777 in (0o700, 0o755)
        environment = environment_of(parent.child.pid or 0)
        assert b"s3cret" not in environment
        assert f"HOME={home}".encode() in environment


def environment_of(pid: int) -> bytes:
    """Return the environment of a process."""
    return Path(f"/proc/{pid}/environ").read_bytes()


async def test_a_cache_folder_that_is_a_file_ends_the_run(tmp_path: Path) -> None:
    """The child does not start, and `run` returns."""
    file = tmp_path / "cache"
    file.write_text("")
    child = GitProcess("1", GitSettings(cache_dir=file), Trust(), on_answer=lambda _: None)

    async with asyncio.timeout(10):
        await child.run()

    assert child.pid is None


class ScriptedChild(GitProcess):
    """A child that runs a script in place of `nopea.git.child`."""

    script = ""

    async def _start(self, home: Path) -> asyncio.subprocess.Process:
        del home
        return await asyncio.create_subprocess_exec(
            sys.executable, "-c", f"import os, sys, time\n{self.script}",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip


async def answers_of(cache: Path, script: str) -> list[dict[str, Any]]:
    """Run a script as a child to its end and return its responses."""
    answers: list[dict[str, Any]] = []
    child = ScriptedChild("1", GitSettings(cache_dir=cache), Trust(), on_answer=answers.append)
    child.script = script
    async with asyncio.timeout(20):
        await child.run()
    assert child.pid is None
    return answers


def write(data: bytes) -> str:
    """Return a script that writes these bytes as its response."""
    return f"os.write(1, {data!r})\n"


CONFIGURED = encode({"id": 0, "ok": {}})
ANSWER = encode({"id": 1, "ok": "whole"})


async def test_an_incomplete_frame_of_a_dying_child_is_not_a_response(tmp_path: Path) -> None:
    """Complete frames before it are responses."""
    script = write(CONFIGURED + ANSWER + encode({"id": 2, "ok": "half"})[:-1])

    assert await answers_of(tmp_path, script) == [{"id": 1, "ok": "whole"}]


@pytest.mark.parametrize(
    "nonsense",
    [b"\xff\xff\xff\xff", (MAX_FRAME + 1).to_bytes(4, "big"), b"\x00\x00\x00\x01\xc1"],
    ids=["four gigabytes", "a byte over the limit", "no msgpack"],
)
async def test_a_child_that_does_not_speak_the_protocol_is_killed(tmp_path: Path, nonsense: bytes) -> None:
    """After an invalid frame, nothing else that the child sends could be understood."""
    script = write(CONFIGURED + ANSWER) + "time.sleep(0.2)\n" + write(nonsense) + "time.sleep(600)"

    assert await answers_of(tmp_path, script) == [{"id": 1, "ok": "whole"}]


async def test_a_child_that_does_not_become_ready_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the time until it is ready is bounded."""
    monkeypatch.setattr("nopea.git.process._START_SECONDS", 0.3)

    assert await answers_of(tmp_path, "time.sleep(600)") == []
    assert await answers_of(tmp_path, write(CONFIGURED) + "time.sleep(0.6)\n" + write(ANSWER)) != []


async def test_the_output_of_a_child_is_bounded_and_masked_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The number and length of the lines is limited, and credentials in URLs are masked."""
    script = "for n in range(1000): print('https://bot:s3cret@h/x' + 'x' * 10000, file=sys.stderr)\n"
    caplog.set_level("DEBUG", logger="nopea.git")

    assert await answers_of(tmp_path, script + write(CONFIGURED + ANSWER)) != []

    lines = [
        record.__dict__["facts"]["line"] for record in caplog.records if record.msg == "child process output"
    ]
    assert len(lines) == 200
    assert max(map(len, lines)) <= 500
    assert not any("s3cret" in line for line in lines)
