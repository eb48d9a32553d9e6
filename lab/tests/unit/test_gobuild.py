"""The Go client is found, given room, and ended with us."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from nopea_lab.errors import LabError
from nopea_lab.gobuild import GIB, Toolchain, Workshop, require_space
from nopea_lab.identity import ProcessIdentity
from nopea_lab.programs import MODULE_FILES, POD_PROGRAMS, PROGRAMS, Program

# A client whose compiler is a child of its own, as Go's are.
SLOW_GO = '#!/bin/sh\ncp go.mod go.sum "$SEEN"\nsleep 60 &\necho $$ $! > "$SEEN/pids"\nwait\n'


class EnoughError(Exception):
    """The test has seen enough of the build."""


def test_a_full_disk_is_told_before_the_build(tmp_path: Path) -> None:
    """The needs of folders on one file system are added up, also of folders that do not exist yet."""
    with pytest.raises(LabError, match=r"may need 2097152\.0"):
        require_space({tmp_path: 2**20 * GIB, tmp_path / "not" / "there": 2**20 * GIB})
    require_space({tmp_path: 1, tmp_path / "not" / "there": 1})


def test_a_go_client_that_does_not_work_is_an_error(tmp_path: Path) -> None:
    """A broken installation is told, not a traceback."""
    (tmp_path / "go").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "go").chmod(0o755)

    with pytest.raises(LabError, match="does not work"):
        Toolchain.find({"PATH": f"{tmp_path}:{os.environ['PATH']}"})


def test_an_interrupt_while_the_client_starts_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Ctrl-C that comes after the fork, before anybody knows the child, leaves no child behind."""
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\nexec sleep 60\n")
    go.chmod(0o755)
    toolchain = Toolchain(go=str(go), module_cache=tmp_path, build_cache=tmp_path)
    started: list[subprocess.Popen[bytes]] = []

    class InterruptedPopen(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            started.append(self)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(subprocess, "Popen", InterruptedPopen)
    with (
        Workshop.opened(toolchain, {"PATH": os.environ["PATH"]}) as workshop,
        pytest.raises(KeyboardInterrupt),
    ):
        workshop.build(PROGRAMS[0], tmp_path / "out", on_seconds=lambda _: None)

    assert started[0].poll() == -signal.SIGTERM
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


@pytest.mark.parametrize("program", [PROGRAMS[0], POD_PROGRAMS[-1]], ids=lambda program: program.name)
def test_an_interrupted_build_leaves_no_compiler(program: Program, tmp_path: Path) -> None:
    """Whatever ends the wait, the client and its children end too; the module is the program's own."""
    go = tmp_path / "go"
    go.write_text(SLOW_GO)
    go.chmod(0o755)
    toolchain = Toolchain(go=str(go), module_cache=tmp_path, build_cache=tmp_path)
    environment = {"PATH": os.environ["PATH"], "SEEN": str(tmp_path)}
    pids = tmp_path / "pids"

    def stop_when_running(seconds: float) -> None:
        if pids.exists() and len(pids.read_text().split()) == 2:
            raise EnoughError
        assert seconds < 20

    with Workshop.opened(toolchain, environment) as workshop, pytest.raises(EnoughError):
        workshop.build(program, tmp_path / "out", on_seconds=stop_when_running)

    give_up_at = time.monotonic() + 5
    while any(ProcessIdentity.of(int(pid)) for pid in pids.read_text().split()):
        assert time.monotonic() < give_up_at
    assert [(tmp_path / name).read_bytes() for name in MODULE_FILES] == [
        (program.module.folder / name).read_bytes() for name in MODULE_FILES
    ]
    assert not workshop.folder.exists()
