"""What a server shows, where it shows nothing; with real servers: tests/git/test_https.py and test_ssh.py."""

from __future__ import annotations

import ctypes
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest
from pygit2.ffi import C, ffi
from tests.git import faulty
from tests.git.faulty import FaultyServer

from nopea.git.certificate import _HostKeyStruct, _read, look


def test_the_structure_is_that_of_libgit2() -> None:
    """cffi was compiled with libgit2's header, and names its size where pygit2 declares less."""
    with pytest.raises(ffi.error, match=f"C compiler says {ctypes.sizeof(_HostKeyStruct)}"):
        ffi.sizeof("git_cert_hostkey")


def test_a_kind_that_is_not_known_shows_nothing() -> None:
    """The transport of a local folder has no certificate."""
    shown = _read(SimpleNamespace(cert_type=C.GIT_CERT_NONE))

    assert (shown.host_key, shown.certificate) == (None, b"")


def test_a_server_without_tls_shows_no_certificate() -> None:
    """What is not TLS, hangs up or does not answer is not trusted."""
    with FaultyServer(faulty.hang_up) as plain:
        port = plain.port
        assert look("127.0.0.1", port, ca_file="", timeout_seconds=1) == (b"", "")
    assert look("127.0.0.1", port, ca_file="", timeout_seconds=1) == (b"", "")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = int(silent.getsockname()[1])
        assert look("127.0.0.1", port, ca_file="", timeout_seconds=0.1) == (b"", "")


def test_an_authority_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """It is not left out without a word."""
    with pytest.raises(FileNotFoundError):
        look("127.0.0.1", 1, ca_file=str(tmp_path / "ca.crt"), timeout_seconds=1)
