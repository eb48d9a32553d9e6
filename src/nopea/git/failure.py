"""The one error that travels from a child to its parent, and how libgit2's errors become it (child side)."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pygit2

from nopea.git.protocol import ErrorKind

# libgit2's git_error_t; pygit2 puts it on GitError as `error_class`.
_NOMEMORY, _OS, _REFERENCE, _ZLIB, _ODB, _OBJECT, _NET, _SSL, _SSH = 1, 2, 4, 5, 9, 11, 12, 16, 23
_STATUS = re.compile(r"unexpected http status code: (\d+)")


class GitFailure(Exception):  # noqa: N818 — the protocol's word: an answer that is not `ok`
    """An operation did not work; `facts` are further keys of the error frame."""

    def __init__(self, kind: ErrorKind, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.facts = facts


@contextmanager
def network(*, ssh: bool, mirror: str = "") -> Iterator[None]:
    """Translate what libgit2 raises while it talks to a server; messages as observed with libgit2 1.9.

    `mirror` is the folder that it writes to meanwhile: what fails there is not a fault of the server.
    """
    try:
        yield
    except pygit2.AuthError as error:
        raise GitFailure(ErrorKind.AUTHENTICATION, str(error)) from error
    except pygit2.errors.CertificateError as error:
        raise GitFailure(ErrorKind.HOST_KEY if ssh else ErrorKind.CERTIFICATE, str(error)) from error
    except pygit2.GitError as error:
        is_local = mirror and (getattr(error, "error_class", None) == _REFERENCE or mirror in str(error))
        kind = _storage_kind(error) if is_local else _network_kind(error, ssh=ssh)
        raise GitFailure(kind, _explained(str(error))) from error
    except OSError as error:
        raise GitFailure(_os_kind(error), str(error)) from error


@contextmanager
def storage() -> Iterator[None]:
    """Translate what libgit2 raises while it reads or writes a mirror."""
    try:
        yield
    except (pygit2.GitError, KeyError) as error:
        message = str(error)
        raise GitFailure(_storage_kind(error), message) from error
    except OSError as error:
        raise GitFailure(_os_kind(error), str(error)) from error


def _network_kind(error: pygit2.GitError, *, ssh: bool) -> ErrorKind:
    message, origin = str(error).lower(), getattr(error, "error_class", None)
    if (status := status_of(message)) is not None:
        return _status_kind(status)
    for text, kind in _TEXTS:
        if text in message:
            return kind
    if origin == _NOMEMORY:
        return ErrorKind.MEMORY
    if origin in (_ODB, _ZLIB, _OBJECT):
        return ErrorKind.MIRROR
    if origin == _SSL and not ssh:
        return ErrorKind.CERTIFICATE if "certificate" in message else ErrorKind.UNREACHABLE
    if origin in (_NET, _OS, _SSL, _SSH):
        return ErrorKind.UNREACHABLE
    return ErrorKind.PROTOCOL


def _explained(message: str) -> str:
    for text, meaning in _MEANINGS:
        if text in message.lower():
            return f"{message}: {meaning}"
    return message


_CLIENT_CERTIFICATE = "it may ask for a client certificate, which is not supported"
_MEANINGS = (
    ("alert handshake failure", _CLIENT_CERTIFICATE),  # TLS 1.2
    ("alert certificate required", _CLIENT_CERTIFICATE),
    ("shutdown while in init", _CLIENT_CERTIFICATE),  # TLS 1.3, as OpenSSL sees it when it closes
    ("object format 'sha256'", "repositories with SHA-256 ids are not supported"),
    ("invalid packet line", "its repository may be a shallow clone, which is not supported"),
    ("too many redirects", "it redirects again and again"),
    ("invalid content-type: 'text/plain'", "it may serve files only, by the dumb protocol"),
)
_TEXTS: tuple[tuple[str, ErrorKind], ...] = (
    ("timed out", ErrorKind.TIMEOUT),
    ("object not found", ErrorKind.MIRROR),
    ("proxy returned unexpected status", ErrorKind.UNREACHABLE),
    ("cannot redirect", ErrorKind.REDIRECT),
    ("too many redirects", ErrorKind.PROTOCOL),
    ("object format 'sha256'", ErrorKind.UNSUPPORTED),
    ("invalid packet line", ErrorKind.PROTOCOL),
    ("no space left", ErrorKind.DISK),
    ("quota exceeded", ErrorKind.DISK),
    ("read-only file system", ErrorKind.DISK),
    ("out of memory", ErrorKind.MEMORY),
    ("invalid argument: 'port'", ErrorKind.PROTOCOL),
    ("unsupported url protocol", ErrorKind.PROTOCOL),
    ("bad packet length", ErrorKind.PROTOCOL),
    ("could not read refs", ErrorKind.PROTOCOL),
    ("failed to resolve path", ErrorKind.REPOSITORY_MISSING),
    ("not appear to be a git repo", ErrorKind.REPOSITORY_MISSING),
    ("repository not found", ErrorKind.REPOSITORY_MISSING),
    ("authentication", ErrorKind.AUTHENTICATION),
    ("failed to authenticate", ErrorKind.AUTHENTICATION),
    ("unexpected eof", ErrorKind.UNREACHABLE),
    ("invalid eof", ErrorKind.UNREACHABLE),
)


def status_of(message: str) -> int | None:
    """Return the HTTP status that a message of libgit2 names."""
    found = _STATUS.search(message)
    return int(found[1]) if found else None


def _status_kind(status: int) -> ErrorKind:
    if status in (401, 403):
        return ErrorKind.AUTHENTICATION
    if status in (404, 410):
        return ErrorKind.REPOSITORY_MISSING
    if status == 429:
        return ErrorKind.RATE_LIMITED
    if status >= 500:
        return ErrorKind.UNREACHABLE
    return ErrorKind.PROTOCOL


def _storage_kind(error: Exception) -> ErrorKind:
    message = str(error).lower()
    if "no space left" in message or "quota exceeded" in message or "read-only file system" in message:
        return ErrorKind.DISK
    if getattr(error, "error_class", None) == _NOMEMORY or "out of memory" in message:
        return ErrorKind.MEMORY
    return ErrorKind.MIRROR


def _os_kind(error: OSError) -> ErrorKind:
    full = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)
    return ErrorKind.DISK if error.errno in full else ErrorKind.MIRROR
