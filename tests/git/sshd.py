"""OpenSSH's sshd on a loopback port, for one user, with its own keys and without system configuration."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

_SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def require_sshd() -> str:
    """Return sshd's path; if it is missing, skip the test, or fail it in CI."""
    if _SSHD is not None and shutil.which("ssh-keygen"):
        return _SSHD
    reason = "sshd or ssh-keygen is missing; install OpenSSH (for example: apt-get install openssh-server)"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def make_key(path: Path, *options: str, kind: str = "ed25519", passphrase: str = "") -> str:
    """Generate a key pair and return the public key's line."""
    command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "acme", *options, "-f", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path.with_suffix(".pub").read_text()


class SshServer:
    """An sshd that accepts the authorized public keys for the current user."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sshd = require_sshd()
        self.user = getpass.getuser()
        folder.mkdir(parents=True)
        self.host_key = make_key(folder / "host")
        self._process: subprocess.Popen[bytes] | None = None
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = int(probe.getsockname()[1])

    def authorize(self, *public_keys: str) -> None:
        """Accept these keys only."""
        (self._folder / "authorized").write_text("".join(public_keys))

    @property
    def known_hosts(self) -> str:
        """The correct known_hosts line of this server."""
        kind, key = self.host_key.split()[:2]
        return f"[127.0.0.1]:{self.port} {kind} {key}\n"

    def url(self, path: Path) -> str:
        """Return the SSH URL of a repository on this machine."""
        return f"ssh://{self.user}@127.0.0.1:{self.port}{path}"

    def __enter__(self) -> SshServer:
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # sshd as root requires this empty folder
        options = {
            "Port": self.port, "ListenAddress": "127.0.0.1", "HostKey": self._folder / "host",
            "AuthorizedKeysFile": self._folder / "authorized", "PidFile": "none", "StrictModes": "no",
            "UsePAM": "no", "PasswordAuthentication": "no", "PermitRootLogin": "prohibit-password",
        }  # fmt: skip
        arguments = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [self._sshd, "-D", "-e", "-f", "/dev/null", *arguments], stderr=log, stdin=subprocess.DEVNULL
            )
        self._wait()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def _wait(self) -> None:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.02)
        raise RuntimeError((self._folder / "log").read_text())
