"""Key services on loopback: Local KMS, see tests/programs, and OpenBao, which speaks Vault's API."""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Self

from tests.downloads.serving import PATIENCE, Tls

from nopea_lab.layout import free_ports

ROOT_TOKEN = "root-token-of-the-tests"
_POLL_SECONDS = 0.05
# Before anything else, asks the kernel to kill the process when the test process ends.
_BOOT = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 9, 0, 0, 0); "
    "os.getppid() == int(sys.argv[1]) or sys.exit('orphan'); os.execv(sys.argv[2], sys.argv[2:])"
)


def program(name: str) -> Path:
    """Return a built program, which lies beside the Python that runs the tests."""
    place = Path(sys.executable).parent / name
    if not place.exists():
        raise FileNotFoundError(f"{place} is not built; run `make test-programs` (needs Go 1.26)")
    return place


class _Server:
    """A process that answers JSON over TLS; `with` starts and ends it, on the same port each time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_ports(["server"])["server"]
        self.ca_crt = ""
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def origin(self) -> str:
        """The scheme, host and port of its URLs."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What it printed."""
        return (self.folder / "server.log").read_text()

    def __enter__(self) -> Self:
        command = [sys.executable, "-c", _BOOT, str(os.getpid()), *self.command()]
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, env={"HOME": str(self.folder)}
            )
        ends_at = time.monotonic() + PATIENCE
        while not self.is_ready():
            assert self._process.poll() is None, self.log
            assert time.monotonic() < ends_at, self.log
            time.sleep(_POLL_SECONDS)
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the program; idempotent."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process.communicate()
            self._process = None

    def command(self) -> list[str]:
        """Return what is run."""
        raise NotImplementedError

    def is_ready(self) -> bool:
        """Return whether it answers."""
        raise NotImplementedError

    def ask(self, path: str, body: Any, headers: dict[str, str]) -> dict[str, Any]:
        """POST JSON and return the answer's; an error fails the test."""
        request = urllib.request.Request(
            f"{self.origin}{path}", json.dumps(body).encode(), {"Content-Type": "application/json", **headers}
        )
        context = ssl.create_default_context(cadata=self.ca_crt)
        with urllib.request.urlopen(request, timeout=PATIENCE, context=context) as answer:
            text = answer.read()
        return dict(json.loads(text)) if text else {}


class Kms(_Server):
    """An AWS KMS in eu-west-2; it takes any signature, and prints whose it was."""

    def __init__(self, folder: Path, tls: Tls) -> None:
        super().__init__(folder)
        self._tls = tls
        self.ca_crt = tls.ca_crt

    def command(self) -> list[str]:
        """Return what is run."""
        tls, address = self._tls, f"127.0.0.1:{self.port}"
        data = str(self.folder / "data")
        return [str(program("nopea-test-kms")), address, data, str(tls.certificate), str(tls.key)]

    def is_ready(self) -> bool:
        """Return whether it has printed its address."""
        return "127.0.0.1" in self.log

    def create_key(self) -> str:
        """Create a key and return its ARN."""
        return str(self._do("CreateKey", {})["KeyMetadata"]["Arn"])

    def encrypt(self, arn: str, data_key: bytes, context: dict[str, str] | None = None) -> str:
        """Return a data key as a SOPS file has it."""
        plain = base64.b64encode(data_key).decode()
        asked = {"KeyId": arn, "Plaintext": plain, "EncryptionContext": context or {}}
        return str(self._do("Encrypt", asked)["CiphertextBlob"])

    def disable(self, arn: str) -> None:
        """Disable a key."""
        self._do("DisableKey", {"KeyId": arn})

    def decryptions(self) -> list[str]:
        """Return who had something decrypted, by access key."""
        return [line.split()[1] for line in self.log.splitlines() if line.startswith("Decrypt ")]

    def _do(self, name: str, body: Any) -> dict[str, Any]:
        return self.ask("/", body, {"X-Amz-Target": f"TrentService.{name}"})


class Vault(_Server):
    """A Vault with an engine at `transit`; its data end with it."""

    def command(self) -> list[str]:
        """Return what is run."""
        return [
            str(program("nopea-test-bao")), "server", "-dev", "-dev-tls", f"-dev-tls-cert-dir={self.folder}",
            "-dev-no-store-token", f"-dev-root-token-id={ROOT_TOKEN}",
            f"-dev-listen-address=127.0.0.1:{self.port}",
        ]  # fmt: skip

    def is_ready(self) -> bool:
        """Return whether the engine is there."""
        authority = self.folder / "vault-ca.pem"
        if not authority.exists():
            return False
        self.ca_crt = authority.read_text()
        try:
            self.do("sys/mounts/transit", {"type": "transit"})
        except (urllib.error.URLError, OSError):
            return False
        return True

    def do(self, path: str, body: Any) -> dict[str, Any]:
        """Ask as root."""
        return self.ask(f"/v1/{path}", body, {"X-Vault-Token": ROOT_TOKEN})

    def create_key(self, name: str) -> None:
        """Create a key of the engine."""
        self.do(f"transit/keys/{name}", {})

    def encrypt(self, name: str, data_key: bytes) -> str:
        """Return a data key as a SOPS file has it."""
        asked = {"plaintext": base64.b64encode(data_key).decode()}
        return str(self.do(f"transit/encrypt/{name}", asked)["data"]["ciphertext"])

    def allow(self, policy: str, key: str) -> None:
        """Create a policy that allows to decrypt with a key."""
        rules = f'path "transit/decrypt/{key}" {{ capabilities = ["update"] }}'
        self.do(f"sys/policies/acl/{policy}", {"policy": rules})

    def token(self, key: str) -> str:
        """Return a token that may decrypt with a key, and nothing else."""
        self.allow(f"decrypt-{key}", key)
        made = self.do("auth/token/create", {"policies": [f"decrypt-{key}"], "no_default_policy": True})
        return str(made["auth"]["client_token"])
