"""Fetch a program from its official release and check it against the published digest.

Never keeps a file whose digest was not published or does not match.
"""

from __future__ import annotations

import hashlib
import http.client
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from nopea_lab.programs import ETCD_VERSION, KUBERNETES_VERSION, Program, architecture

STALL_SECONDS = 5.0
DEADLINE_SECONDS = 900.0
_CHUNK = 256 * 1024
_DIGEST_LIMIT = 64 * 1024


class DownloadError(Exception):
    """This program could not be fetched; the text is one line that says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Releases:
    """Where the releases are: two base addresses, without a slash at the end."""

    kubernetes: str = "https://dl.k8s.io/release"
    etcd: str = "https://github.com/etcd-io/etcd/releases/download"

    def address(self, program: Program) -> str:
        """Return the address of the program's file or archive."""
        if program.archive:
            return f"{self.etcd}/{ETCD_VERSION}/{program.name}-{ETCD_VERSION}-linux-{architecture()}.tar.gz"
        return f"{self.kubernetes}/{KUBERNETES_VERSION}/bin/linux/{architecture()}/{program.name}"

    def digest_address(self, program: Program) -> str:
        """Return the address of the text that holds the SHA-256 digest of it."""
        if program.archive:
            return f"{self.etcd}/{ETCD_VERSION}/SHA256SUMS"
        return f"{self.address(program)}.sha256"


OFFICIAL = Releases()


def fetch(program: Program, into: Path, *, releases: Releases, on_bytes: Callable[[int], None]) -> None:
    """Write the program to `into`, which the caller removes when this raises DownloadError.

    `on_bytes` hears how many bytes have come. Gives up when nothing comes for some seconds.
    """
    address = releases.address(program)
    give_up_at = time.monotonic() + DEADLINE_SECONDS
    try:
        wanted = _published_digest(releases.digest_address(program), file=address.rpartition("/")[2])
        archive = into.with_name(f"{into.name}.archive") if program.archive else into
        try:
            found = _copy(address, archive, on_bytes=on_bytes, give_up_at=give_up_at)
            if found != wanted:
                raise DownloadError(f"{address}: its SHA-256 is {found}, published is {wanted}")
            if program.archive:
                _unpack(archive, program.name, into)
        finally:
            if program.archive:
                archive.unlink(missing_ok=True)
    except (OSError, http.client.HTTPException, tarfile.TarError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise DownloadError(f"{urlsplit(address).hostname}: {reason}") from error


def _published_digest(address: str, *, file: str) -> str:
    """Return the digest in a text that is either one digest or lines of `digest  file`."""
    with _opened(address) as answer:
        text = answer.read(_DIGEST_LIMIT).decode("ascii", errors="replace")
    for line in text.splitlines():
        digest, _, name = line.strip().partition(" ")
        if len(digest) == 64 and name.strip().lstrip("*") in ("", file):
            return digest.lower()
    raise DownloadError(f"{address}: no SHA-256 of {file} in it")


def _copy(address: str, into: Path, *, on_bytes: Callable[[int], None], give_up_at: float) -> str:
    digest = hashlib.sha256()
    come = 0
    with _opened(address) as answer, into.open("wb") as file:
        while chunk := answer.read(_CHUNK):
            if time.monotonic() > give_up_at:
                raise DownloadError(f"{address}: not complete after {DEADLINE_SECONDS:.0f} s")
            digest.update(chunk)
            file.write(chunk)
            come += len(chunk)
            on_bytes(come)
    return digest.hexdigest()


def _opened(address: str) -> http.client.HTTPResponse:
    if urlsplit(address).scheme not in ("http", "https"):
        raise DownloadError(f"{address}: only http and https")
    answer = urllib.request.urlopen(address, timeout=STALL_SECONDS)  # noqa: S310 - the scheme is checked above
    assert isinstance(answer, http.client.HTTPResponse)  # noqa: S101 - what urlopen returns for these schemes
    return answer


def _unpack(archive: Path, name: str, into: Path) -> None:
    """Copy the one file called `name` out of the archive; no path of the archive is followed."""
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            source = tar.extractfile(member) if Path(member.name).name == name and member.isfile() else None
            if source is not None:
                with source, into.open("wb") as file:
                    while chunk := source.read(_CHUNK):
                        file.write(chunk)
                return
    raise DownloadError(f"no {name} in {archive.name}")
