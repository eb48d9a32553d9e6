"""The one error that travels from a child to its parent, and how libgit2's errors become it (child side)."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pygit2

from nopea.git.protocol import Kind

# libgit2's git_error_t; pygit2 puts it on GitError as `error_class`.
_NOMEMORY, _OS, _ZLIB, _ODB, _OBJECT, _NET, _SSL, _SSH = 1, 2, 5, 9, 11, 12, 16, 23
_STATUS = re.compile(r"unexpected http status code: (\d+)")


class Failure(Exception):  # noqa: N818 — the protocol's word: an answer that is not `ok`
    """An operation did not work; `facts` are further keys of the error frame."""

    def __init__(self, kind: Kind, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.facts = facts


@contextmanager
def network(*, ssh: bool) -> Iterator[None]:
    """Translate what libgit2 raises while it talks to a server; messages as observed with libgit2 1.9."""
    try:
        yield
    except pygit2.AuthError as error:
        raise Failure(Kind.AUTHENTICATION, str(error)) from error
    except pygit2.errors.CertificateError as error:
        raise Failure(Kind.HOST_KEY if ssh else Kind.CERTIFICATE, str(error)) from error
    except pygit2.GitError as error:
        raise Failure(_network_kind(error, ssh=ssh), str(error)) from error
    except OSError as error:
        raise Failure(_os_kind(error), str(error)) from error


@contextmanager
def storage() -> Iterator[None]:
    """Translate what libgit2 raises while it reads or writes a mirror."""
    try:
        yield
    except (pygit2.GitError, KeyError) as error:
        message = str(error)
        raise Failure(_storage_kind(error), message) from error
    except OSError as error:
        raise Failure(_os_kind(error), str(error)) from error


def _network_kind(error: pygit2.GitError, *, ssh: bool) -> Kind:
    message, origin = str(error).lower(), getattr(error, "error_class", None)
    if status := _STATUS.search(message):
        return _status_kind(int(status[1]))
    for text, kind in _TEXTS:
        if text in message:
            return kind
    if origin == _NOMEMORY:
        return Kind.MEMORY
    if origin in (_ODB, _ZLIB, _OBJECT):
        return Kind.MIRROR
    if origin == _SSL and not ssh:
        return Kind.CERTIFICATE if "certificate" in message else Kind.UNREACHABLE
    if origin in (_NET, _OS, _SSL, _SSH):
        return Kind.UNREACHABLE
    return Kind.PROTOCOL


_TEXTS: tuple[tuple[str, Kind], ...] = (
    ("timed out", Kind.TIMEOUT),
    ("object not found", Kind.MIRROR),
    ("cannot redirect", Kind.REDIRECT),
    ("too many redirects", Kind.REDIRECT),
    ("no space left", Kind.DISK),
    ("quota exceeded", Kind.DISK),
    ("read-only file system", Kind.DISK),
    ("out of memory", Kind.MEMORY),
    ("invalid argument: 'port'", Kind.PROTOCOL),
    ("unsupported url protocol", Kind.PROTOCOL),
    ("bad packet length", Kind.PROTOCOL),
    ("could not read refs", Kind.PROTOCOL),
    ("failed to resolve path", Kind.REPOSITORY_MISSING),
    ("not appear to be a git repo", Kind.REPOSITORY_MISSING),
    ("repository not found", Kind.REPOSITORY_MISSING),
    ("authentication", Kind.AUTHENTICATION),
    ("failed to authenticate", Kind.AUTHENTICATION),
    ("unexpected eof", Kind.UNREACHABLE),
    ("invalid eof", Kind.UNREACHABLE),
)


def _status_kind(status: int) -> Kind:
    if status in (401, 403):
        return Kind.AUTHENTICATION
    if status in (404, 410):
        return Kind.REPOSITORY_MISSING
    if status == 429 or status >= 500:
        return Kind.UNREACHABLE
    return Kind.PROTOCOL


def _storage_kind(error: Exception) -> Kind:
    message = str(error).lower()
    if "no space left" in message or "quota exceeded" in message or "read-only file system" in message:
        return Kind.DISK
    if getattr(error, "error_class", None) == _NOMEMORY or "out of memory" in message:
        return Kind.MEMORY
    return Kind.MIRROR


def _os_kind(error: OSError) -> Kind:
    full = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)
    return Kind.DISK if error.errno in full else Kind.MIRROR
