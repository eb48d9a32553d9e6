"""Read the certificate or the host key that a server shows (child side).

libgit2 hands it to pygit2's callback, and pygit2 drops it: `observe` gives it to a session first.
"""

from __future__ import annotations

import ctypes
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pygit2 import callbacks
from pygit2.ffi import C, ffi

from nopea.core.git.known_hosts import HostKey, key_of_blob

_RAW = 8  # GIT_CERT_SSH_RAW: the whole key is there
_HASH_MD5, _HASH_SHA1, _HASH_SHA256 = 16, 20, 32


class _HostKeyStruct(ctypes.Structure):
    """`git_cert_hostkey` of libgit2 1.2 and later; pygit2 declares its beginning only."""

    _fields_ = (
        ("cert_type", ctypes.c_int),
        ("type", ctypes.c_int),
        ("hash_md5", ctypes.c_ubyte * _HASH_MD5),
        ("hash_sha1", ctypes.c_ubyte * _HASH_SHA1),
        ("hash_sha256", ctypes.c_ubyte * _HASH_SHA256),
        ("raw_type", ctypes.c_int),
        ("hostkey", ctypes.c_void_p),
        ("hostkey_len", ctypes.c_size_t),
    )


@dataclass(frozen=True, slots=True)
class Shown:
    """The server's key (SSH) or its certificate in DER (HTTPS), as far as libgit2 knows it."""

    host_key: HostKey | None = None
    certificate: bytes = b""


def observe(session_type: type, see: Callable[[Any, Shown], None]) -> None:
    """Call `see` with each session of the type and what its server shows, before the session judges it."""
    inner = callbacks._certificate_check_cb  # noqa: SLF001 — the one place where pygit2 has the certificate

    def check(certificate: Any, valid: int, host: Any, payload: Any) -> int:
        session = ffi.from_handle(payload)
        if isinstance(session, session_type):
            see(session, _read(certificate))
        return int(inner(certificate, valid, host, payload))

    ffi.def_extern(name="_certificate_check_cb", error=C.GIT_ECERTIFICATE)(check)


def _read(certificate: Any) -> Shown:
    if certificate.cert_type == C.GIT_CERT_X509:
        x509 = ffi.cast("git_cert_x509 *", certificate)
        return Shown(certificate=bytes(ffi.buffer(x509.data, x509.len)))
    if certificate.cert_type == C.GIT_CERT_HOSTKEY_LIBSSH2:
        host_key = _HostKeyStruct.from_address(int(ffi.cast("uintptr_t", certificate)))
        if host_key.type & _RAW and host_key.hostkey:
            return Shown(host_key=key_of_blob(ctypes.string_at(host_key.hostkey, host_key.hostkey_len)))
    return Shown()


def tls_context(ca_file: str) -> ssl.SSLContext:
    """Return a context that trusts the public authorities and what is in the file, if there is one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    if ca_file:
        context.load_verify_locations(cafile=ca_file)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def look(host: str, port: int, *, ca_file: str, timeout_seconds: float) -> tuple[bytes, str]:
    """Return the server's certificate if it can be trusted, else why not.

    libgit2 does not say why. Nor does it trust a certificate in `ca.crt` as such, as curl and Go do, even if
    it is an intermediate one or the server's own. So Python asks the server for its certificates once more.
    What it finds is about the certificate that it returns, and no other one.
    """
    context = tls_context(ca_file)
    try:
        with (
            socket.create_connection((host, port), timeout=timeout_seconds) as connection,
            context.wrap_socket(connection, server_hostname=host) as secured,
        ):
            return secured.getpeercert(binary_form=True) or b"", ""
    except ssl.SSLCertVerificationError as error:
        return b"", error.verify_message.rstrip(".")
    except (OSError, ValueError):
        return b"", ""
