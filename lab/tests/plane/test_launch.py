"""A launch completes or leaves nothing behind, and no process outlives the owner of the lab."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nopea_lab.identity import ProcessIdentity
from nopea_lab.lab import Lab
from nopea_lab.layout import LabOptions
from nopea_lab.state import LabState

pytestmark = pytest.mark.cluster  # for the binaries
READY_SECONDS = 90.0


def _own(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "lab.tests.plane.owner", str(folder), "ready"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _everyone(folder: Path) -> list[ProcessIdentity]:
    state = LabState.read(folder / "state.json")
    assert state.keeper
    return [state.keeper, *state.processes.values()]


def _wait_until(is_so: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + READY_SECONDS
    while not is_so():
        assert time.monotonic() < give_up_at
        time.sleep(0.02)


def _assert_all_gone(processes: list[ProcessIdentity], *, at_least: int) -> None:
    assert len(processes) >= at_least
    for process in processes:
        assert process.wait_gone(deadline_seconds=10), process


def test_sigkill_of_the_owner_ends_a_running_lab(tmp_path: Path) -> None:
    """The owner cannot clean up, but the kernel closes its pipe and the keeper ends the other processes."""
    folder = tmp_path / "lab"
    with _own(folder) as owner:
        assert owner.stdout
        assert owner.stdout.readline() == "ready\n"
        everyone = _everyone(folder)
        assert all(process.is_alive() for process in everyone)

        owner.kill()

        _assert_all_gone(everyone, at_least=4)
    assert not (folder / "data").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_owner_dies_while_starting(tmp_path: Path, number: signal.Signals) -> None:
    """SIGINT or SIGKILL in the middle of the start leaves no process behind."""
    folder = tmp_path / "lab"
    with _own(folder) as owner:
        _wait_until(lambda: "etcd" in LabState.read(folder / "state.json").processes)
        everyone = _everyone(folder)

        owner.send_signal(number)

        assert owner.wait(20) != 0
        _assert_all_gone(everyone, at_least=2)
    assert not LabState.read(folder / "state.json").survivors()


def test_a_process_that_does_not_start_is_reported_with_its_log(
    make_lab: Callable[[LabOptions], Lab],
) -> None:
    """The error contains the process's own output, and the command that removes the lab."""
    with pytest.raises(
        pytest.fail.Exception, match=r"(?s)kube-apiserver ended with exit code .*--no-such-flag.*lab down"
    ):
        make_lab(LabOptions(apiserver_flags=("--no-such-flag",)))
