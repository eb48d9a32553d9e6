"""A downloaded program is the published one, or none."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.tests.unit.releases import ReleaseServer, release_server

from nopea_lab.download import OFFICIAL, DownloadError, Releases, fetch
from nopea_lab.programs import ETCD_VERSION, KUBERNETES_VERSION, PROGRAMS, architecture

ETCD, APISERVER, *_ = PROGRAMS
APISERVER_PATH = f"/kubernetes/{KUBERNETES_VERSION}/bin/linux/{architecture()}/kube-apiserver"
ARCHIVE = f"etcd-{ETCD_VERSION}-linux-{architecture()}.tar.gz"


@pytest.fixture
def server() -> Iterator[ReleaseServer]:
    """A server of releases."""
    with release_server() as running:
        yield running


def _get(server: ReleaseServer, name: str, into: Path) -> list[int]:
    heard: list[int] = []
    program = next(program for program in PROGRAMS if program.name == name)
    fetch(program, into, releases=server.releases, on_bytes=heard.append)
    return heard


def test_official_addresses() -> None:
    """The default addresses are those that the projects publish."""
    assert OFFICIAL.digest_address(APISERVER) == (
        f"https://dl.k8s.io/release/{KUBERNETES_VERSION}/bin/linux/{architecture()}/kube-apiserver.sha256"
    )
    assert OFFICIAL.digest_address(ETCD).endswith(f"/etcd/releases/download/{ETCD_VERSION}/SHA256SUMS")


def test_a_file_with_the_published_digest_is_kept(server: ReleaseServer, tmp_path: Path) -> None:
    """The file arrives whole and its progress is told."""
    program = b"\x7fELF" * 100_000
    server.files[APISERVER_PATH] = program
    server.files[f"{APISERVER_PATH}.sha256"] = hashlib.sha256(program).hexdigest().encode()

    heard = _get(server, "kube-apiserver", tmp_path / "file")

    assert (tmp_path / "file").read_bytes() == program
    assert heard[-1] == len(program)


def test_a_file_with_another_digest_is_refused(server: ReleaseServer, tmp_path: Path) -> None:
    """A changed or cut file is told apart, with both digests."""
    server.files[APISERVER_PATH] = b"something else"
    server.files[f"{APISERVER_PATH}.sha256"] = b"0" * 64

    with pytest.raises(DownloadError, match=f"published is {'0' * 64}"):
        _get(server, "kube-apiserver", tmp_path / "file")


def test_a_file_without_a_published_digest_is_not_even_asked_for(
    server: ReleaseServer, tmp_path: Path
) -> None:
    """Nothing unverified is downloaded."""
    server.files[APISERVER_PATH] = b"program"
    server.files[f"{APISERVER_PATH}.sha256"] = b"<html>not found</html>"

    with pytest.raises(DownloadError, match="no SHA-256 of kube-apiserver"):
        _get(server, "kube-apiserver", tmp_path / "file")

    assert server.asked == [f"{APISERVER_PATH}.sha256"]


def test_the_program_is_taken_out_of_its_archive(server: ReleaseServer, tmp_path: Path) -> None:
    """Only the one file is unpacked, wherever the archive has it, and the archive does not stay."""
    archive = _archive({"etcd/../../evil": b"evil", "etcd-v0/etcd": b"etcd itself", "etcd-v0/etcdctl": b"x"})
    server.files[f"/etcd/{ETCD_VERSION}/{ARCHIVE}"] = archive
    sums = f"{'1' * 64}  other.tar.gz\n{hashlib.sha256(archive).hexdigest()}  {ARCHIVE}\n"
    server.files[f"/etcd/{ETCD_VERSION}/SHA256SUMS"] = sums.encode()

    _get(server, "etcd", tmp_path / "made")

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"made": b"etcd itself"}


def test_an_archive_without_the_program_is_an_error(server: ReleaseServer, tmp_path: Path) -> None:
    """A surprising archive does not make an empty program."""
    archive = _archive({"readme": b"hello"})
    server.files[f"/etcd/{ETCD_VERSION}/{ARCHIVE}"] = archive
    server.files[f"/etcd/{ETCD_VERSION}/SHA256SUMS"] = (
        f"{hashlib.sha256(archive).hexdigest()}  {ARCHIVE}".encode()
    )

    with pytest.raises(DownloadError, match="no etcd in"):
        _get(server, "etcd", tmp_path / "made")


def test_the_reason_is_one_line_with_the_host(server: ReleaseServer, tmp_path: Path) -> None:
    """A missing file and a closed port both say where and why."""
    with pytest.raises(DownloadError, match=r"^127\.0\.0\.1: .*Not Found$"):
        _get(server, "kubectl", tmp_path / "file")
    nobody = Releases(kubernetes="http://127.0.0.1:9")
    with pytest.raises(DownloadError, match=r"^127\.0\.0\.1: .*refused$"):
        fetch(APISERVER, tmp_path / "file", releases=nobody, on_bytes=lambda _: None)


def test_only_http_is_asked(tmp_path: Path) -> None:
    """A base address cannot make us read local files."""
    with pytest.raises(DownloadError, match="only http and https"):
        fetch(
            APISERVER,
            tmp_path / "file",
            releases=Releases(kubernetes="file:///etc"),
            on_bytes=lambda _: None,
        )


def _archive(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
