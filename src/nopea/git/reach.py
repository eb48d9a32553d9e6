"""Refuse a Git server whose addresses must not be connected to, before anything is sent (child side).

libgit2 resolves the name again when it connects. Only a NetworkPolicy helps against a name whose answers
change in between.
"""

from __future__ import annotations

import socket

from nopea.core.git.networks import Networks, may_connect
from nopea.core.git.source import host_of
from nopea.git.failure import GitFailure
from nopea.git.protocol import ErrorKind


def refuse_unreachable(url: str, networks: Networks) -> None:
    """Raise GitFailure if one of the host's addresses is outside of the networks.

    The message does not say which address it has: the name may be internal.
    """
    if networks is Networks.ANY or url.startswith(("file:", "/")):
        return
    host = host_of(url)
    if not host:
        raise GitFailure(ErrorKind.ADDRESS, "the host cannot be read")
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a host name"
        raise GitFailure(ErrorKind.UNREACHABLE, f"failed to resolve address for {host}: {reason}") from error
    if not all(may_connect(str(address[0]), networks) for *_, address in found):
        raise GitFailure(ErrorKind.ADDRESS, f"{host} has an address in a network that is not allowed")
