"""No process outlives its lab, however its owner or keeper ends. Simple programs stand in for the servers."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nopea_lab.control import Control, KeeperGoneError
from nopea_lab.errors import LabError
from nopea_lab.files import make_private_folder
from nopea_lab.identity import ProcessIdentity
from nopea_lab.launch import start_keeper
from nopea_lab.layout import Layout
from nopea_lab.state import LabState

SLEEP = ["sleep", "60"]
DEAF = [sys.executable, "-c", "import signal; signal.signal(15, signal.SIG_IGN); signal.pause()"]


class KeptLab:
    """A folder with a keeper, and the test's end of the keeper's owner pipe."""

    def __init__(self, folder: Path) -> None:
        self.layout = Layout(folder)
        make_private_folder(folder / "logs")
        (folder / "data").mkdir()
        self.owner = start_keeper(self.layout)
        self.control = Control(folder)
        self.control.processes()  # it has written its record when it answers

    def everyone(self) -> list[ProcessIdentity]:
        """Return the keeper and its children."""
        state = LabState.read(self.layout.state)
        assert state.keeper
        return [state.keeper, *state.processes.values()]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[KeptLab]:
    """Yield a keeper whose folder has a path that is too long for a socket address."""
    lab = KeptLab(tmp_path / ("long-" * 30))
    yield lab
    for process in LabState.read(lab.layout.state).survivors().values():
        process.send(signal.SIGKILL)
    try:
        os.close(lab.owner)
    except OSError as error:
        assert error.errno == 9  # noqa: PT017 - the test closed it already


def _assert_all_gone(processes: list[ProcessIdentity], *, deadline_seconds: float = 5.0) -> None:
    assert len(processes) > 1
    for process in processes:
        assert process.wait_gone(deadline_seconds=deadline_seconds), process


def _eventually(is_so: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + 5
    while not is_so():
        assert time.monotonic() < give_up_at
        time.sleep(0.01)


def test_the_death_of_the_owner_ends_all_processes(kept: KeptLab) -> None:
    """However the owner dies, its pipe closes: the keeper ends all processes and keeps only the logs."""
    kept.control.start("one", SLEEP)
    kept.control.start("two", DEAF)
    everyone = kept.everyone()

    os.close(kept.owner)

    _assert_all_gone(everyone)
    assert sorted(path.name for path in kept.layout.folder.iterdir()) == ["logs"]


def test_the_death_of_the_keeper_ends_its_children(kept: KeptLab) -> None:
    """The kernel ends the children of a killed keeper, which cannot end them itself."""
    kept.control.start("one", SLEEP)
    kept.control.start("two", DEAF)
    keeper, *children = kept.everyone()

    keeper.send(signal.SIGKILL)

    _assert_all_gone([keeper, *children])
    with pytest.raises(KeeperGoneError, match="nopea lab up"):
        kept.control.processes()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_keeper_ends_all_processes_in_order(kept: KeptLab, number: signal.Signals) -> None:
    """On SIGTERM, SIGINT or SIGHUP, the keeper ends its children and removes its record; the data stays."""
    kept.control.start("one", SLEEP)
    everyone = kept.everyone()

    everyone[0].send(number)

    _assert_all_gone(everyone)
    assert not kept.layout.state.exists()
    assert kept.layout.data.exists()


def test_a_detached_keeper_outlives_its_owner(kept: KeptLab) -> None:
    """A detached keeper, as after `nopea lab up`, continues when its owner ends."""
    kept.control.start("one", SLEEP)
    kept.control.detach()

    os.close(kept.owner)

    assert kept.control.processes()["one"].exit_code is None
    everyone = kept.everyone()
    kept.control.shut_down(processes=1)
    _assert_all_gone(everyone)


def test_a_process_that_ignores_sigterm_is_killed_after_its_grace_period(kept: KeptLab) -> None:
    """A process that ignores SIGTERM gets SIGKILL later; the keeper answers when the process has ended."""
    kept.control.start("deaf", DEAF)
    time.sleep(0.2)  # until it ignores SIGTERM

    kept.control.end("deaf", grace_seconds=0.1)

    assert kept.control.processes()["deaf"].exit_code == -signal.SIGKILL


def test_a_process_that_died_is_reported_and_can_be_started_again(kept: KeptLab) -> None:
    """The keeper does not restart processes automatically; starting a running process changes nothing."""
    kept.control.start("one", ["sh", "-c", "echo hello; exit 7"])
    _eventually(lambda: kept.control.processes()["one"].exit_code == 7)
    assert kept.layout.log("one").read_text() == "hello\n"
    _eventually(lambda: "one" not in LabState.read(kept.layout.state).processes)

    kept.control.start("one", SLEEP)
    pid = kept.control.processes()["one"].pid
    kept.control.start("one", SLEEP)

    assert kept.control.processes()["one"].pid == pid


def test_a_process_that_cannot_be_started_is_reported(kept: KeptLab) -> None:
    """A missing program and an unknown process are errors, after which the keeper still answers."""
    with pytest.raises(LabError, match="No such file"):
        kept.control.start("ghost", ["/nonexistent/program"])
    with pytest.raises(LabError, match="refused"):
        kept.control.end("stranger")

    assert kept.control.processes() == {}
