"""Read known_hosts as OpenSSH does: which keys may a server have? Pure.

libssh2 knows no patterns and no markers, and compares names letter by letter. It is given the lines that hold
for one server, in the plainest form.
"""

from __future__ import annotations

import base64
import binascii
import enum
import hashlib
import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from nopea.core.git.source import ssh_server_of

_TYPES = re.compile(r"ssh-rsa|ssh-dss|ssh-ed25519|ecdsa-sha2-nistp(256|384|521)")
_LENGTH_BYTES = 4


class Marker(enum.StrEnum):
    """What a line says of its key."""

    NONE = ""
    REVOKED = "@revoked"
    AUTHORITY = "@cert-authority"


@dataclass(frozen=True, slots=True)
class HostKey:
    """A public key of a server: its type and its bytes in base64, as OpenSSH writes them."""

    type: str
    base64: str

    @property
    def fingerprint(self) -> str:
        """The fingerprint as `ssh-keygen -l` prints it."""
        digest = hashlib.sha256(base64.b64decode(self.base64)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    def __str__(self) -> str:
        return f"{self.type} {self.fingerprint}"


@dataclass(frozen=True, slots=True)
class HostKeys:
    """What known_hosts says about one server; `has_authority`: that certificates of an authority are good."""

    accepted: tuple[HostKey, ...] = ()
    revoked: frozenset[HostKey] = field(default=frozenset())
    has_authority: bool = False


@dataclass(frozen=True, slots=True)
class _Line:
    marker: Marker
    names: str
    key: HostKey


def host_keys(known_hosts: str, url: str) -> HostKeys:
    """Return the keys that the server of an SSH URL may have.

    Lines for `[host]:port` stand before lines for the host alone, which count only without them.
    """
    host, port = ssh_server_of(url)
    if not host:
        return HostKeys()
    lines = list(_lines(known_hosts))
    revoked: set[HostKey] = set()
    has_authority = False
    for name in (f"[{host}]:{port}".lower(), host.lower()):
        found = [line for line in lines if _matches(name, line.names)]
        revoked.update(line.key for line in found if line.marker is Marker.REVOKED)
        has_authority |= any(line.marker is Marker.AUTHORITY for line in found)
        listed = [line.key for line in found if line.marker is Marker.NONE]
        if listed:
            accepted = tuple(dict.fromkeys(key for key in listed if key not in revoked))
            return HostKeys(accepted, frozenset(revoked), has_authority)
    return HostKeys((), frozenset(revoked), has_authority)


@lru_cache(maxsize=256)
def plain_lines(known_hosts: str, url: str) -> str:
    """Return known_hosts in lines that libssh2 reads as OpenSSH reads the original, for this URL's server.

    They are the same for the servers of an ordinary file, so that these can share a process.
    """
    host, port = ssh_server_of(url)
    if not host:
        return ""
    wanted = host_keys(known_hosts, url).accepted
    ordinary = [line for line in _lines(known_hosts) if line.marker is Marker.NONE and _is_plain(line.names)]
    names = {host, f"[{host}]:{port}"}
    seen = {line.key for line in ordinary if names & set(line.names.split(","))}
    if seen == set(wanted):
        return "".join(f"{line.names} {line.key.type} {line.key.base64}\n" for line in ordinary)
    return "".join(f"[{host}]:{port} {key.type} {key.base64}\n" for key in wanted)


def key_of_blob(blob: bytes) -> HostKey | None:
    """Return a key as it travels on the wire, which begins with its type; None for what is not one."""
    size = int.from_bytes(blob[:_LENGTH_BYTES], "big")
    type_ = blob[_LENGTH_BYTES : _LENGTH_BYTES + size].decode("ascii", errors="replace")
    return HostKey(type_, base64.b64encode(blob).decode()) if _TYPES.fullmatch(type_) else None


def _lines(known_hosts: str) -> Iterator[_Line]:
    """Yield the lines that can be read; OpenSSH passes over the others too."""
    for text in known_hosts.split("\n"):
        fields = text.split()
        marker = Marker.NONE
        if fields and fields[0].startswith("@"):
            if fields[0] not in (Marker.REVOKED, Marker.AUTHORITY):
                continue
            marker = Marker(fields.pop(0))
        if len(fields) < 3 or fields[0].startswith("#"):
            continue
        names, type_, encoded = fields[:3]
        try:
            key = key_of_blob(base64.b64decode(encoded, validate=True))
        except (binascii.Error, ValueError):
            continue
        if key is not None and key.type == type_:
            yield _Line(marker, names, key)


def _is_plain(names: str) -> bool:
    return not re.search(r"[*?!|]", names) and names == names.lower()


def _matches(name: str, names: str) -> bool:
    if names.startswith("|"):
        return _matches_hash(name, names)
    found = False
    for pattern in names.lower().split(","):
        if _matches_pattern(name, pattern.removeprefix("!")):
            if pattern.startswith("!"):
                return False
            found = True
    return found


def _matches_hash(name: str, hashed: str) -> bool:
    try:
        _, version, salt, digest = hashed.split("|")
        key, expected = base64.b64decode(salt, validate=True), base64.b64decode(digest, validate=True)
    except ValueError:
        return False
    return version == "1" and hmac.compare_digest(hmac.digest(key, name.encode(), "sha1"), expected)


def _matches_pattern(name: str, pattern: str) -> bool:
    """Compare with `*` and `?`, and nothing else: brackets stand for themselves."""
    place, star, mark = 0, -1, 0
    at = 0
    while at < len(name):
        if place < len(pattern) and pattern[place] == "*":
            star, mark = place, at
            place += 1
        elif place < len(pattern) and pattern[place] in ("?", name[at]):
            place, at = place + 1, at + 1
        elif star >= 0:
            mark += 1
            place, at = star + 1, mark
        else:
            return False
    return not pattern[place:].strip("*")
