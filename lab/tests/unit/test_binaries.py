"""Where the control plane's programs come from, in which order, and what is said when they cannot be had."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.tests.unit.releases import ReleaseServer, release_server

from nopea_lab.binaries import Search, cache_folder, missing
from nopea_lab.download import Releases
from nopea_lab.errors import LabError
from nopea_lab.files import locked
from nopea_lab.programs import POD_PROGRAMS, PROGRAM_NAMES, PROGRAMS

NO_RELEASES = Releases(kubernetes="http://127.0.0.1:9", etcd="http://127.0.0.1:9")

# Stands in for the Go client: answers `go env`, and writes its working directory's module as the program.
FAKE_GO = """#!/bin/sh
if [ "$1" = env ]; then echo "$FAKE_CACHES/modules"; echo "$FAKE_CACHES/build"; exit; fi
for argument; do [ "$previous" = -o ] && out="$argument"; previous="$argument"; done
echo "$argument" >> "$FAKE_CACHES/built"
if [ "$argument" = "$FAKE_FAILS" ]; then echo "undefined: nothing"; exit 2; fi
echo "$argument $CGO_ENABLED $GOFLAGS" > "$out"
"""


class Heard:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        """Keep a line."""
        self.lines.append(text)

    def tick(self, text: str) -> None:
        """Drop it."""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment with an empty cache and nothing on the PATH but the system's tools."""
    return {"XDG_CACHE_HOME": str(tmp_path / "cache"), "PATH": "/nonexistent", "FAKE_CACHES": str(tmp_path)}


@pytest.fixture
def go(tmp_path: Path, environment: dict[str, str]) -> Path:
    """A Go client on the PATH; returns the list of what it built."""
    _executable(tmp_path / "bin" / "go", FAKE_GO)
    environment["PATH"] = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    return tmp_path / "built"


@pytest.fixture
def server() -> Iterator[ReleaseServer]:
    """A server of releases."""
    with release_server() as running:
        yield running


def _executable(path: Path, text: str = "program") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def _fill(folder: Path, *, without: tuple[str, ...] = ()) -> Path:
    for name in PROGRAM_NAMES:
        if name not in without:
            _executable(folder / name)
    return folder


def _search(
    environment: dict[str, str],
    releases: Releases | None = None,
    heard: Heard | None = None,
    *,
    pods: bool = False,
) -> Search:
    return Search(environment=environment, releases=releases, progress=heard or Heard(), pods=pods)


def test_a_given_folder_comes_first(environment: dict[str, str], tmp_path: Path) -> None:
    """KUBEBUILDER_ASSETS wins over a filled cache."""
    _fill(cache_folder(environment))
    environment["KUBEBUILDER_ASSETS"] = str(_fill(tmp_path / "assets"))

    found = _search(environment).ensure()

    assert (found.folder, found.origin) == (tmp_path / "assets", "KUBEBUILDER_ASSETS")
    assert found.path("etcd") == tmp_path / "assets" / "etcd"


def test_an_incomplete_given_folder_is_not_mixed_with_another_version(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """A folder without the controller manager, as its tool makes it, is passed over, and it is said why."""
    assets = _fill(tmp_path / "assets", without=("kube-controller-manager",))
    environment["KUBEBUILDER_ASSETS"] = str(assets)
    _fill(cache_folder(environment))
    heard = Heard()

    found = _search(environment, heard=heard).ensure()

    assert found.folder == cache_folder(environment)
    assert heard.lines == [
        f"KUBEBUILDER_ASSETS={assets} is ignored because it lacks kube-controller-manager."
    ]


def test_the_cache_comes_before_downloads(environment: dict[str, str], server: ReleaseServer) -> None:
    """With a filled cache nobody is asked."""
    _fill(cache_folder(environment))

    assert _search(environment, server.releases).ensure().origin == "cache"
    assert server.asked == []


def test_a_file_that_cannot_be_executed_counts_as_missing(tmp_path: Path) -> None:
    """A text file of the right name is no program."""
    _fill(tmp_path)
    (tmp_path / "etcd").chmod(stat.S_IRUSR)
    (tmp_path / "kubectl").unlink()
    (tmp_path / "kubectl").mkdir()

    assert missing(tmp_path, PROGRAMS) == ["etcd", "kubectl"]


def test_the_cache_follows_the_base_directories(environment: dict[str, str], tmp_path: Path) -> None:
    """An absolute XDG_CACHE_HOME counts; the specification says to ignore a relative one."""
    assert cache_folder(environment).parent == tmp_path / "cache" / "nopea" / "controlplane"
    assert cache_folder({"XDG_CACHE_HOME": "here"}).is_relative_to(Path.home() / ".cache")


def test_what_cannot_be_downloaded_is_built(
    environment: dict[str, str], server: ReleaseServer, go: Path
) -> None:
    """Kubernetes from its release, etcd from source, and the line between them says why."""
    program = b"from the release"
    for row in PROGRAMS[1:]:
        path = server.releases.address(row).partition(str(server.server_port))[2]
        server.files |= {path: program, f"{path}.sha256": hashlib.sha256(program).hexdigest().encode()}
    heard = Heard()

    folder = _search(environment, server.releases, heard).ensure().folder

    assert [(folder / name).read_bytes() for name in PROGRAM_NAMES[1:]] == [program] * 3
    assert (folder / "etcd").read_text() == "go.etcd.io/etcd/server/v3 0 -mod=readonly\n"
    assert go.read_text().split() == ["go.etcd.io/etcd/server/v3"]
    assert "etcd was not downloaded: 127.0.0.1: Not Found." in heard.lines
    assert "Building etcd (1 of 4), about 35 seconds on two cores…" in heard.lines
    assert any("It needs up to 1 GB" in line for line in heard.lines)


def test_what_runs_pods_is_got_when_it_is_asked_for(
    environment: dict[str, str], server: ReleaseServer, go: Path
) -> None:
    """The scheduler is downloaded; the simulator's release has no digest to check it with, so it is built."""
    folder = _fill(cache_folder(environment))
    path = server.releases.address(POD_PROGRAMS[0]).partition(str(server.server_port))[2]
    server.files |= {path: b"scheduler", f"{path}.sha256": hashlib.sha256(b"scheduler").hexdigest().encode()}
    heard = Heard()

    assert _search(environment).find() is not None
    assert _search(environment, pods=True).find() is None
    _search(environment, server.releases, heard, pods=True).ensure()

    assert (folder / "kube-scheduler").read_bytes() == b"scheduler"
    assert go.read_text().split() == ["sigs.k8s.io/kwok/cmd/kwok"]
    assert "Building kwok (6 of 6), about 1.0 minutes on two cores…" in heard.lines
    assert not [asked for asked in server.asked if "kwok" in asked]


def test_a_given_folder_without_a_scheduler_has_no_pods(environment: dict[str, str], tmp_path: Path) -> None:
    """It serves a lab without Pods; for one with Pods the cache is taken, and it is said why."""
    environment["KUBEBUILDER_ASSETS"] = str(_fill(tmp_path / "assets"))
    heard = Heard()

    assert _search(environment).find() is not None
    assert _search(environment, heard=heard, pods=True).find() is None
    assert heard.lines[0].endswith("is ignored because it lacks kube-scheduler, kwok.")


def test_a_host_that_fails_is_asked_once(
    environment: dict[str, str], server: ReleaseServer, go: Path
) -> None:
    """Three programs of one unreachable host cost one wait, not three."""
    _search(environment, server.releases).ensure()

    assert len(server.asked) == 2  # one for etcd's host, one for Kubernetes'
    assert len(go.read_text().split()) == 4


@pytest.mark.parametrize("value", ["0", "false", "no"])
def test_downloads_can_be_switched_off(environment: dict[str, str], value: str) -> None:
    """By the environment and by --offline."""
    assert Search.by_environment({**environment, "NOPEA_LAB_DOWNLOAD": value}).releases is None
    assert Search.by_environment(environment, offline=True).releases is None
    assert Search.by_environment(environment).releases is not None


def test_without_network_and_without_go_the_error_says_what_was_tried(environment: dict[str, str]) -> None:
    """Each source's reason, and what to install."""
    with pytest.raises(LabError) as raised:
        _search(environment, NO_RELEASES).ensure()

    assert "no Go toolchain" in raised.value.message
    assert raised.value.detail.count("was not downloaded: 127.0.0.1:") == 2
    assert "go.dev/dl" in raised.value.hint
    assert "KUBEBUILDER_ASSETS" in raised.value.hint


def test_a_failed_build_keeps_what_was_built(environment: dict[str, str], go: Path) -> None:
    """The error has the compiler's words, the next run goes on where this one ended, no half file is left."""
    failing = {**environment, "FAKE_FAILS": PROGRAMS[2].package}
    with pytest.raises(LabError) as raised:
        _search(failing).ensure()
    folder = cache_folder(environment)
    assert "kube-controller-manager" in raised.value.message
    assert "undefined: nothing" in raised.value.detail
    assert sorted(path.name for path in folder.iterdir()) == ["etcd", "kube-apiserver", "lock"]
    go.unlink()

    _search(environment).ensure()

    assert go.read_text().split() == [PROGRAMS[2].package, PROGRAMS[3].package]


def test_leftovers_of_a_killed_process_are_removed(environment: dict[str, str], go: Path) -> None:
    """A file that was being made when the machine went down does not stay for ever."""
    folder = cache_folder(environment)
    folder.mkdir(parents=True)
    (folder / ".making-etcd").write_text("half")

    _search(environment).ensure()

    assert sorted(path.name for path in folder.iterdir()) == sorted([*PROGRAM_NAMES, "lock"])
    assert go.exists()


def test_two_processes_build_once(environment: dict[str, str], go: Path) -> None:
    """The second waits, says so, and finds what the first has made."""
    folder = cache_folder(environment)
    heard = Heard()
    waiter = threading.Thread(target=lambda: _search(environment, heard=heard).ensure())
    with locked(folder / "lock", deadline_seconds=1):
        waiter.start()
        while not heard.lines:
            assert waiter.is_alive()
        _fill(folder)
    waiter.join()

    assert heard.lines == ["Another process gets the lab's programs. Waiting for it."]
    assert not go.exists()
