"""A running Git port, a repository and a real HTTP server for it, for each test of this folder."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import TypeVar

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.git.sshd import SshServer, make_key
from tests.gitserver import GitServer, Origin

from nopea.core.git.source import Credentials, FileEntry, Ref, RefKind, Remote
from nopea.core.secret import Secret
from nopea.git.port import GitPort
from nopea.git.settings import GitSettings
from nopea.tasks import end, spawn

T = TypeVar("T")
MAIN = Ref(RefKind.BRANCH, "main")
FILES = {f"deploy/{name}.yaml": f"name: {name}\n" for name in ("api", "db", "web", "worker")}
# How long a healthy call may take on a busy machine before the test fails as hanging.
PATIENCE = 20.0


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder that the server serves."""
    return tmp_path / "served"


@pytest.fixture
def origin(root: Path) -> Origin:
    """The repository `shop.git` with four manifests on main."""
    shop = Origin(root / "shop.git")
    shop.commit(FILES)
    return shop


@pytest.fixture
def server(root: Path, origin: Origin) -> Iterator[GitServer]:
    """`git http-backend` over plain HTTP for everything under the root."""
    del origin
    with GitServer(root) as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path) -> GitSettings:
    """The port's settings; a module may override them."""
    return GitSettings(cache_dir=tmp_path / "cache", allow_file_urls=True)


@pytest_asyncio.fixture
async def port(settings: GitSettings) -> AsyncIterator[GitPort]:
    """A running port."""
    async with running(GitPort(settings)) as port:
        yield port


@asynccontextmanager
async def running(port: GitPort) -> AsyncIterator[GitPort]:
    """Run a port; a child that is left afterwards fails the test."""
    task = spawn(port.run(), name="git port")
    await children(port)
    try:
        yield port
    finally:
        pids = port.pids()
        await end(task)
    assert [pid for pid in pids if alive(pid)] == []


async def children(port: GitPort, *, count: int = 1) -> list[int]:
    """Wait until `count` children run and return their process IDs."""
    return await until(lambda: pids if len(pids := port.pids()) >= count else None)


async def until(claim: Callable[[], T | None], *, seconds: float = PATIENCE) -> T:
    """Wait until the claim returns a true value, and return it."""
    async with asyncio.timeout(seconds):
        while not (found := claim()):  # noqa: ASYNC110 — the state of real processes has no event
            await asyncio.sleep(0.01)
    return found


def alive(pid: int) -> bool:
    """Return whether a process exists, even as a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, Path]:
    """A private authority's PEM, and the certificate and key that it issued for a loopback server."""
    folder = tmp_path_factory.mktemp("authority")
    ca_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Acme Authority")])
    now = datetime.now(tz=UTC)

    def certificate(subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, ca: bool) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )  # fmt: skip
        if not ca:
            served_as = [x509.IPAddress(IPv4Address("127.0.0.1")), x509.DNSName("git.acme.example")]
            builder = builder.add_extension(x509.SubjectAlternativeName(served_as), critical=False)
        return builder.sign(ca_key, hashes.SHA256())

    ca = certificate(name, ca_key, ca=True).public_bytes(serialization.Encoding.PEM)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "git.acme.example")])
    served = certificate(subject, server_key, ca=False).public_bytes(serialization.Encoding.PEM)
    (folder / "server.crt").write_bytes(served)
    (folder / "server.key").write_bytes(
        server_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return ca.decode(), folder / "server.crt", folder / "server.key"


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[SshServer]:
    """A running sshd."""
    with SshServer(tmp_path / "sshd") as server:
        yield server


def key_of(tmp_path: Path, ssh: SshServer, *, kind: str = "ed25519", passphrase: str = "") -> Credentials:
    """Generate a key that the server accepts, and return its credentials."""
    ssh.authorize(make_key(tmp_path / "key", kind=kind, passphrase=passphrase))
    return Credentials(
        identity=Secret((tmp_path / "key").read_bytes()), identity_password=Secret(passphrase),
        known_hosts=ssh.known_hosts,
    )  # fmt: skip


async def files_of(
    port: GitPort, remote: Remote, commit: str, subpath: str, *, timeout_seconds: float
) -> tuple[FileEntry, ...]:
    """Return the manifest and ignore files below a folder of a commit."""
    listing = await port.listing(remote, commit, subpath, timeout_seconds=timeout_seconds)
    return listing.files
