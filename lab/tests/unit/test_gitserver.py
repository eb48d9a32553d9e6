"""The lab's Git server: real Git over HTTP on loopback, with access control, counters and optional pushes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nopea_lab.gitserver import Access, GitServer
from nopea_lab.layout import free_ports

_ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    **{
        f"GIT_{role}_{part}": value
        for role in ("AUTHOR", "COMMITTER")
        for part, value in (("NAME", "Acme Robot"), ("EMAIL", "robot@acme.example"))
    },
}


def _git(*arguments: str, fails: bool = False) -> str:
    done = subprocess.run(
        ["git", *arguments], capture_output=True, text=True, check=False, timeout=30, env=_ENVIRONMENT
    )
    assert (done.returncode != 0) == fails, done.stderr
    return done.stderr if fails else done.stdout.strip()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with the bare repository shop.git, which has one commit on main and takes pushes."""
    bare = tmp_path / "served" / "shop.git"
    _git("init", "--quiet", "--bare", "--initial-branch=main", str(bare))
    _git("-C", str(bare), "config", "http.receivepack", "true")
    tree = _git("-C", str(bare), "hash-object", "-t", "tree", "-w", "/dev/null")
    _git(
        "-C",
        str(bare),
        "update-ref",
        "refs/heads/main",
        _git("-C", str(bare), "commit-tree", "-m", "1", tree),
    )
    return bare.parent


def _push(url: str, clone: Path, *, fails: bool = False) -> str:
    _git("clone", "--quiet", url, str(clone))
    _git("-C", str(clone), "commit", "--quiet", "--allow-empty", "-m", "2")
    return _git("-C", str(clone), "push", "--quiet", "origin", "HEAD:main", fails=fails)


def test_a_clone_is_served_and_counted(root: Path, tmp_path: Path) -> None:
    """Each request counts below the repository's name."""
    with GitServer(root) as server:
        _git("clone", "--quiet", server.url("shop.git"), str(tmp_path / "clone"))

    assert server.requests["shop.git git-upload-pack GET"] == 1
    assert server.requests["shop.git git-upload-pack POST"] >= 1


def test_pushes_are_refused_unless_the_server_takes_them(root: Path, tmp_path: Path) -> None:
    """Whatever the repository's own configuration allows."""
    with GitServer(root) as server:
        assert "403" in _push(server.url("shop.git"), tmp_path / "refused", fails=True)
    with GitServer(root, takes_pushes=True) as server:
        _push(server.url("shop.git"), tmp_path / "taken")

    assert _git("-C", str(root / "shop.git"), "log", "--format=%s", "main").splitlines() == ["2", "1"]


@pytest.mark.parametrize(
    ("access", "header", "allowed"),
    [
        (Access(), "", True),
        (Access(username="acme", password="secret"), "Basic YWNtZTpzZWNyZXQ=", True),
        (Access(username="acme", password="secret"), "Basic YWNtZTpvdGhlcg==", False),
        (Access(username="acme", password="secret"), "", False),
        (Access(token="t"), "Bearer t", True),
        (Access(token="t"), "Bearer u", False),
    ],
)
def test_access_is_decided_by_the_header(access: Access, header: str, allowed: bool) -> None:
    """Anybody without credentials set, else exactly the user and password or the token."""
    assert access.allows(header) is allowed


def test_a_client_without_credentials_is_asked_for_them(root: Path, tmp_path: Path) -> None:
    """Git sees 401 and cannot answer."""
    with GitServer(root, access=Access(token="t")) as server:
        complaint = _git("clone", server.url("shop.git"), str(tmp_path / "clone"), fails=True)

    assert "could not read Username" in complaint


def test_the_program_takes_pushes_and_ends_at_sigterm(root: Path, tmp_path: Path) -> None:
    """The demo runs it as a process of its own."""
    port = free_ports(["git"])["git"]
    command = [sys.executable, "-P", "-m", "nopea_lab.gitserver", str(root), str(port)]
    with subprocess.Popen(command) as serving:
        try:
            url = f"http://127.0.0.1:{port}/shop.git"
            _wait_served(url)
            _push(url, tmp_path / "clone")
            serving.send_signal(signal.SIGTERM)
            assert serving.wait(10) == 0
        finally:
            serving.kill()


def _wait_served(url: str) -> None:
    give_up_at = time.monotonic() + 20
    while subprocess.run(["git", "ls-remote", url], capture_output=True, check=False).returncode:
        assert time.monotonic() < give_up_at
        time.sleep(0.02)
