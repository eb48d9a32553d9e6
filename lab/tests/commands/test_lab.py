"""Run `nopea lab` as a user does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nopea_lab.components import APISERVER, ETCD
from nopea_lab.identity import ProcessIdentity
from nopea_lab.lab import Lab
from nopea_lab.programs import PROGRAM_NAMES

pytestmark = pytest.mark.cluster  # for the binaries
DEADLINE_SECONDS = 100.0


def _nopea(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nopea", "lab", *arguments],
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
        env={**os.environ, **(environment or {})},
    )


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Yield a folder for a detached lab, which is stopped at the end of the test."""
    yield tmp_path / "lab"
    Lab.open(tmp_path / "lab").stop()


def test_up_status_repair_down(folder: Path) -> None:
    """`up` starts, finds or repairs a lab; `down` stops it and, without `--keep-data`, removes its folder."""
    assert _nopea("status", "--dir", str(folder)).returncode == 1

    first = _nopea("up", "--dir", str(folder))
    assert (first.returncode, first.stdout) == (0, f"{folder / 'kubeconfig'}\n"), first.stderr
    assert "✓ kube-apiserver" in first.stderr
    lab = Lab.open(folder)
    before = {row.name: row.pid for row in lab.status()}
    assert lab.run_kubectl("create", "configmap", "kept") == "configmap/kept created\n"

    second = _nopea("up", "--dir", str(folder))
    assert (second.returncode, second.stdout) == (0, first.stdout)
    assert {row.name: row.pid for row in lab.status()} == before

    status = _nopea("status", "--dir", str(folder))
    assert status.returncode == 0
    header, etcd, apiserver, manager = (line.split() for line in status.stdout.splitlines())
    assert header == ["PROCESS", "PID", "STATE", "URL"]
    assert etcd[:3] == ["etcd", str(before["etcd"]), "running"]
    assert apiserver[2:] == ["running", lab.api_url]
    assert manager[2:] == ["running", "-"]

    lab.kill(ETCD)
    lab.kill(APISERVER)
    broken = _nopea("status", "--dir", str(folder))
    assert broken.returncode == 1
    assert "killed (SIGKILL)" in broken.stdout
    assert "nopea lab up" in broken.stderr

    assert _nopea("up", "--dir", str(folder)).returncode == 0
    after = {row.name: row.pid for row in lab.status()}
    assert lab.is_running()
    assert after["kube-apiserver"] != before["kube-apiserver"]
    assert lab.run_kubectl("get", "configmap", "kept", "-o", "name") == "configmap/kept\n"

    processes = [ProcessIdentity.of(pid) for pid in after.values() if pid]
    assert _nopea("down", "--keep-data", "--dir", str(folder)).returncode == 0
    assert not any(process and process.is_alive() for process in processes)
    assert (folder / "data").exists()
    assert _nopea("down", "--dir", str(folder)).returncode == 0
    assert not folder.exists()
    assert "There is no lab" in _nopea("down", "--dir", str(folder)).stderr


def test_a_folder_that_is_not_a_lab_is_left_alone(tmp_path: Path) -> None:
    """Neither `up` nor `down` changes such a folder, and both say what to do."""
    (tmp_path / "thesis.txt").write_text("mine")

    for verb in ("up", "down"):
        done = _nopea(verb, "--dir", str(tmp_path))
        assert (done.returncode, done.stdout) == (1, "")
        assert "✗" in done.stderr
        assert "is not a lab" in done.stderr
        assert "→ Give an empty or new folder" in done.stderr

    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_binaries_prints_their_folder(tmp_path: Path) -> None:
    """`nopea lab binaries` prints only the folder to standard output, so that scripts can use it."""
    for name in PROGRAM_NAMES:
        (tmp_path / name).touch(mode=0o755)

    done = _nopea("binaries", environment={"KUBEBUILDER_ASSETS": str(tmp_path)})

    assert (done.returncode, done.stdout) == (0, f"{tmp_path}\n")
    assert "Source: KUBEBUILDER_ASSETS" in done.stderr


def test_an_interrupted_build_leaves_no_partial_binary(tmp_path: Path) -> None:
    """After Ctrl-C during a build, the exit code is 130, the compiler has ended and the cache is clean."""
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text(
        '#!/bin/sh\nif [ "$1" = env ]; then echo /tmp; echo /tmp; exit; fi\n'
        'for argument; do [ "$previous" = -o ] && out="$argument"; previous="$argument"; done\n'
        f'echo half > "$out"; echo $$ > {tmp_path}/pid; exec sleep 60\n'
    )
    go.chmod(0o755)
    environment = {**os.environ, "PATH": f"{go.parent}:{os.environ['PATH']}", "XDG_CACHE_HOME": str(tmp_path)}
    environment.pop("KUBEBUILDER_ASSETS", None)
    command = [sys.executable, "-m", "nopea", "lab", "binaries", "--offline"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as building:
        give_up_at = time.monotonic() + 20
        while not ((tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip()):
            assert time.monotonic() < give_up_at
            time.sleep(0.02)
        compiler = ProcessIdentity.of(int((tmp_path / "pid").read_text()))

        building.send_signal(signal.SIGINT)

        _, said = building.communicate(timeout=20)
    assert building.returncode == 130
    assert "Interrupted." in said
    assert compiler is not None
    assert not compiler.is_alive()
    cache = next((tmp_path / "nopea" / "controlplane").iterdir())
    assert [path.name for path in cache.iterdir()] == ["lock"]


def test_the_lab_does_not_slow_the_command_line_down() -> None:
    """Importing the lab's commands does not import asyncio, aiohttp, cryptography, pygit2 or rich."""
    code = (
        "import sys, nopea_lab.commands.lab; print(sorted({name.partition('.')[0] for name in sys.modules}))"
    )

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert not {"asyncio", "aiohttp", "cryptography", "pygit2", "rich"} & set(eval(loaded))
