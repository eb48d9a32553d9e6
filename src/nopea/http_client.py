"""The HTTP client that rooms share: which addresses it connects to, and failures in words.

It keeps no cookie and does not read proxies from the environment. Certificates are verified against the
system's authorities, or those of SSL_CERT_FILE.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
from typing import Any

import aiohttp

import nopea
from nopea.core.git.networks import Networks, may_connect

IDLE_SECONDS = 15.0
"""Shorter than servers keep theirs: a request on a connection that is being closed must be repeated."""

_Target = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]
"""An address as `getaddrinfo` returns it."""


def open_session(networks: Networks, *, connections: int) -> aiohttp.ClientSession:
    """Return a session that connects to addresses in `networks` only, whatever a name resolves to.

    The caller closes it, and owns all deadlines.
    """

    def make_socket(target: _Target) -> socket.socket:
        family, kind, protocol, _, address = target
        if not may_connect(str(address[0]), networks):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        return socket.socket(family, kind, protocol)

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=connections,
            keepalive_timeout=IDLE_SECONDS,
            ssl=ssl.create_default_context(),
            socket_factory=make_socket,
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
        headers={"User-Agent": f"nopea/{nopea.__version__}", "Accept-Encoding": "identity"},
        auto_decompress=False,
        trust_env=False,
    )


def may_ask_proxy(host: str, networks: Networks) -> bool:
    """Whether a proxy may be asked for a host; one that is written as a forbidden address is not."""
    try:
        found = socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return True
    return all(may_connect(str(address[0]), networks) for *_, address in found)


def trusting(ca_crt: str) -> ssl.SSLContext:
    """Return a context that trusts an authority besides those of the system."""
    context = ssl.create_default_context()
    context.load_verify_locations(cadata=ca_crt.encode("ascii", errors="replace").decode())
    return context


def describe(error: Exception) -> str:
    """Return what went wrong in our own words: those of a library may quote the URL."""
    match error:
        case aiohttp.ClientConnectorCertificateError(
            certificate_error=ssl.SSLCertVerificationError() as cause
        ):
            return f"has an untrusted certificate: {cause.verify_message}"
        case aiohttp.ClientSSLError():
            return "failed the TLS handshake; check the port and its certificate"
        case aiohttp.ClientConnectorDNSError():
            return "has a host name that does not resolve"
        case aiohttp.ClientConnectorError():
            return f"cannot be reached: {_os_reason(error.os_error)}"
        case aiohttp.ServerDisconnectedError():
            return "closed the connection without a response"
        case aiohttp.ClientPayloadError():
            return "sent a truncated response"
        case aiohttp.ClientResponseError():
            return "sent an invalid HTTP response"
        case OSError():
            return f"failed: {_os_reason(error)}"
        case _:
            return f"failed: {type(error).__name__}"


def is_untrusted(error: Exception) -> bool:
    """Return whether the certificate of a server was refused: time does not mend that."""
    return isinstance(error, aiohttp.ClientConnectorCertificateError)


def is_forbidden_address(error: Exception) -> bool:
    """Return whether a server has an address that must not be connected to, or asked of a proxy."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    return isinstance(cause, OSError) and cause.errno == errno.EACCES


def _os_reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else type(error).__name__
