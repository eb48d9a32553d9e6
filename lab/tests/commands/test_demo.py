"""Run `nopea demo` as a user does: with a real control plane, Git over HTTP and a real controller."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from nopea_lab.identity import ProcessIdentity
from nopea_lab.programs import PROGRAM_NAMES
from nopea_lab.state import LabState

pytestmark = pytest.mark.cluster  # for the binaries
DEADLINE_SECONDS = 90.0
GONE_SECONDS = 15.0
READY = "✓ nopea run is ready"
HELD = {"etcd", "kube-apiserver", "kube-controller-manager", "git-server", "event-sink", "nopea"}
STEPS = [
    r"✓ Control plane v1\.\d+\.\d+ is up: etcd, API server, controller manager +\d+\.\d s",
    r"✓ Git server is ready: http://127\.0\.0\.1:\d+/shop\.git +\d+\.\d s",
    r"✓ nopea run is ready: http://127\.0\.0\.1:\d+/ready +\d+\.\d s",
    r"✓ GitRepository is Ready: 6 objects, .* +\d+\.\d s",
    r"✓ git push \"Expect more visitors\": Deployment web, replicas 2 → 4 +\d+\.\d s",
    r"✓ git push with a typo: one object refused, the rest applied +\d+\.\d s",
    r"✓ git push \"Fix the typo\": Ready again, replicas 4 → 6 +\d+\.\d s",
    r"✓ kubectl patch web: reverted, replicas 6 → 1 → 6 +\d+\.\d s",
    r"✓ git push \"End the sale\": discount\.yaml and its object are gone +\d+\.\d s",
    r"✓ Break-glass on web, patch, push: nothing is written, replicas 1 +\d+\.\d s",
    r"✓ Break-glass off: Git wins, replicas 1 → 8 +\d+\.\d s",
    r"✓ An overlay and a chart of the same repository are rendered +\d+\.\d s",
    r"✓ A CDEvents receiver got \d+ events +\d+\.\d s",
]
ENDED = r"✓ Everything has ended and the folder is removed +\d+\.\d s"


@contextmanager
def _demo(
    folder: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "nopea", "demo", "--dir", str(folder), *arguments]
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "80", **(environment or {})},
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def _end(folder: Path) -> str:
    with _demo(folder, "--end") as process:
        said, complaint = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 0, complaint
    return said


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Yield a folder for a demo, and end whatever the test left running in it."""
    yield tmp_path / "demo"
    _end(tmp_path / "demo")


def _read_until(process: subprocess.Popen[str], start: str) -> list[str]:
    """Return the lines up to and including the first one that starts with `start`."""
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if line.startswith(start):
            return lines
    process.wait(DEADLINE_SECONDS)
    assert process.stderr
    pytest.fail("\n".join([f"no {start!r}:", *lines, process.stderr.read()]))


def _everyone(folder: Path) -> list[ProcessIdentity]:
    """Return the keeper, the processes that it holds, and their children."""
    state = LabState.read(folder / "lab" / "state.json")
    assert state.keeper
    assert set(state.processes) == HELD
    held = list(state.processes.values())
    children = [ProcessIdentity.of(pid) for parent in held for pid in _children(parent.pid)]
    return [state.keeper, *held, *(child for child in children if child)]


def _children(pid: int) -> list[int]:
    return [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]


def _assert_gone(everyone: list[ProcessIdentity]) -> None:
    for process in everyone:
        assert process.wait_gone(deadline_seconds=GONE_SECONDS), process


def test_the_whole_demo_fits_one_screen_and_leaves_nothing_behind(folder: Path) -> None:
    """Each step prints its duration and the cluster's state; afterwards no process and no file is left."""
    with _demo(folder) as process:
        lines = _read_until(process, READY)
        everyone = _everyone(folder)
        rest, complaint = process.communicate(timeout=DEADLINE_SECONDS)
        lines += rest.splitlines()

    assert (process.returncode, complaint) == (0, "")
    printed = [line for line in lines if line.startswith(("✓", "✗"))]
    assert len(printed) == len(STEPS) + 1, printed
    for pattern, line in zip([*STEPS, ENDED], printed, strict=True):
        assert re.fullmatch(pattern, line), line
    assert any(re.fullmatch(r" +shop +True +\w+ +main@sha1:[0-9a-f]{7} +0 .*", line) for line in lines)
    assert any(re.fullmatch(r" +Deployment +web +web\.yaml#1", line) for line in lines)
    assert any("percent 10 → 30" in line for line in lines)
    assert any("NOPEA-K003 web.yaml#1" in line for line in lines)
    assert any("→ Correct spec.replica" in line for line in lines)
    text = " ".join(" ".join(lines).split())
    assert re.search(r"apps/Deployment shop/web: \.spec\.replicas 1 → 6 \(changed by kubectl-patch\)", text)
    assert re.search(r"Deleted 1 object removed in [0-9a-f]{7}: acme\.example/Discount shop/spring", text)
    assert any(
        re.match(r" +shop +True +\w+ +main@sha1:[0-9a-f]{7} +1 +Deployment web", line) for line in lines
    )
    told = (
        r"incident\.detected 2, incident\.resolved 2, service\.deployed \d, service\.published \d, "
        r"service\.upgraded \d"
    )
    assert re.search(told, text)
    assert "\x1b" not in text
    assert len(lines) <= 42
    assert max(map(len, lines)) <= 80
    assert len(everyone) > len(HELD) + 1, "the controller's Git children are missing"
    _assert_gone(everyone)
    assert not folder.exists()


def test_a_kept_demo_applies_pushes_until_it_is_ended(folder: Path, tmp_path: Path) -> None:
    """With DEMO_KEEP=1, the demo prints what to try and applies a push from a new clone; `--end` ends it."""
    with _demo(folder, environment={"DEMO_KEEP": "1", "NOPEA_NAMESPACE": "elsewhere"}) as process:
        said, complaint = process.communicate(timeout=DEADLINE_SECONDS)
    assert (process.returncode, complaint) == (0, "")
    everyone = _everyone(folder)
    assert all(one.is_alive() for one in everyone)
    assert f"export KUBECONFIG={folder}/lab/kubeconfig" in said
    assert f"demo --end --dir {folder}" in said

    found = re.search(r"git clone (\S+)", said)
    assert found
    _push_replicas(found[1], tmp_path / "clone", replicas=9)
    _wait_for_replicas(folder, 9)

    with _demo(folder) as second:
        _, complaint = second.communicate(timeout=DEADLINE_SECONDS)
    assert second.returncode == 1
    assert "✗ A demo was left running" in complaint
    assert f"demo --end --dir {folder}" in complaint
    assert all(one.is_alive() for one in everyone)

    assert _end(folder) == "The demo has ended and its folder is removed.\n"
    _assert_gone(everyone)
    assert not folder.exists()


def _push_replicas(url: str, clone: Path, *, replicas: int) -> None:
    def git(*arguments: str) -> None:
        subprocess.run(["git", *arguments], check=True, capture_output=True, timeout=30)

    git("clone", url, str(clone))
    web = clone / "web.yaml"
    web.write_text(re.sub("replicas: .*", f"replicas: {replicas}", web.read_text()))
    author = ("-c", "user.name=Acme Robot", "-c", "user.email=robot@acme.example")
    git("-C", str(clone), *author, "commit", "-am", "Grow")
    git("-C", str(clone), "push")


def _wait_for_replicas(folder: Path, replicas: int) -> None:
    from nopea_lab.lab import Lab

    lab = Lab.open(folder / "lab")
    give_up_at = time.monotonic() + GONE_SECONDS
    path = "/apis/apps/v1/namespaces/shop/deployments/web"
    while lab.request("GET", path).body["spec"]["replicas"] != replicas:
        assert time.monotonic() < give_up_at
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("number", "exit_code", "said"),
    [
        (signal.SIGINT, 130, "Interrupted. Nothing that this command started is left running.\n"),
        (signal.SIGTERM, 143, ""),
    ],
)
def test_a_signal_while_starting_leaves_nothing_behind(
    folder: Path, number: signal.Signals, exit_code: int, said: str
) -> None:
    """After Ctrl-C or SIGTERM while the control plane starts, every process and the folder are gone."""
    with _demo(folder) as process:
        give_up_at = time.monotonic() + DEADLINE_SECONDS
        while "kube-apiserver" not in (state := LabState.read(folder / "lab" / "state.json")).processes:
            assert time.monotonic() < give_up_at
            time.sleep(0.02)
        assert state.keeper
        everyone = [state.keeper, *state.processes.values()]

        process.send_signal(number)

        _, complaint = process.communicate(timeout=DEADLINE_SECONDS)
    assert (process.returncode, complaint) == (exit_code, said)
    assert not any(one.is_alive() for one in everyone)
    assert not folder.exists()


def test_sigkill_leaves_no_process_and_the_next_call_cleans_up(folder: Path) -> None:
    """A killed demo cannot clean up, but its keeper ends every process; `--end` removes the files."""
    with _demo(folder) as process:
        _read_until(process, READY)
        everyone = _everyone(folder)

        process.kill()

        process.wait(DEADLINE_SECONDS)
        _assert_gone(everyone)
    assert folder.exists()
    _end(folder)
    assert not folder.exists()


def test_a_failing_step_is_named_with_its_log_and_ends_the_rest(folder: Path, tmp_path: Path) -> None:
    """When etcd does not start, a demo prints `✗`, the end of its log and the log folder."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in PROGRAM_NAMES:
        (programs / name).write_text("#!/bin/sh\necho the disk is on fire\nexit 7\n")
        (programs / name).chmod(0o755)

    with _demo(folder, environment={"KUBEBUILDER_ASSETS": str(programs)}) as process:
        said, complaint = process.communicate(timeout=DEADLINE_SECONDS)

    assert process.returncode == 1
    assert "✗ Control plane" in said
    assert "✗ etcd ended with exit code 7 while starting." in complaint
    assert "| the disk is on fire" in complaint
    assert f"Its logs are in {folder / 'logs'}." in complaint
    assert "on fire" in (folder / "logs" / "etcd.log").read_text()
    assert not (folder / "lab").exists()


def test_a_folder_that_is_not_a_demo_is_left_alone(tmp_path: Path) -> None:
    """Neither `demo` nor `demo --end` changes such a folder, and both say what to do."""
    (tmp_path / "thesis.txt").write_text("mine")

    for arguments in ((), ("--end",)):
        with _demo(tmp_path, *arguments) as process:
            _, complaint = process.communicate(timeout=DEADLINE_SECONDS)
        assert process.returncode == 1
        assert "is not a demo's folder" in complaint
        assert "→ Give an empty or new folder" in complaint

    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
