"""A process is known by more than its number."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from nopea_lab.identity import ProcessIdentity


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that does nothing."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def _identity(pid: int) -> ProcessIdentity:
    identity = ProcessIdentity.of(pid)
    assert identity is not None
    return identity


def test_a_living_process_is_alive_and_a_dead_one_is_not(sleeper: subprocess.Popen[bytes]) -> None:
    """Also between its death and its reaping."""
    identity = _identity(sleeper.pid)
    assert identity.is_alive()
    assert not identity.wait_gone(deadline_seconds=0)

    identity.send(signal.SIGKILL)

    assert identity.wait_gone(deadline_seconds=5)  # nobody has reaped it yet
    sleeper.wait()
    assert not identity.is_alive()
    identity.send(signal.SIGKILL)  # nobody is there; nothing happens


@pytest.mark.parametrize("change", [{"started": 1}, {"boot": "another"}])
def test_a_stranger_with_the_same_number_is_not_signalled(
    sleeper: subprocess.Popen[bytes], change: dict[str, int | str]
) -> None:
    """A recycled pid, or one from before a reboot, is left alone."""
    stranger = dataclasses.replace(_identity(sleeper.pid), **change)  # type: ignore[arg-type]

    stranger.send(signal.SIGKILL)

    assert not stranger.is_alive()
    assert sleeper.poll() is None


def test_it_survives_a_file() -> None:
    """What is written is what is read; anything else is nobody."""
    identity = _identity(os.getpid())

    assert ProcessIdentity.parse(identity.as_json()) == identity
    for other in (None, 7, {}, {"pid": "7"}, {"pid": -1, "started": 1, "boot": "x"}):
        assert ProcessIdentity.parse(other) is None
