"""The words between the controller and its Git children: frames, operations, error kinds. Pure: no I/O.

A frame is a 4-byte big-endian length and that many bytes of msgpack: requests `{"id", "op", …}`, answers
`{"id", "ok": …}` or `{"id", "err": {"kind", "message", …}}`. File contents travel as msgpack binary.
"""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Iterator
from typing import Any

import msgpack  # type: ignore[import-untyped]

MAX_FRAME = 64 * 1024 * 1024
# A child ends an answer with contents at about this size, or after this time, and says what is left; the
# parent asks again. Between two answers it is the turn of other repositories.
ANSWER_BYTES = 8 * 1024 * 1024
ANSWER_SECONDS = 0.25
_PREFIX = 4
TEMPORARY = ".new-"
"""In the name of what a child makes beside a mirror, before the child's pid."""


class Op(enum.StrEnum):
    """What a child can be asked."""

    CONFIGURE = "configure"
    LS_REMOTE = "ls_remote"
    SYNC = "sync"
    FILES = "files"
    READ = "read"
    MANIFESTS = "manifests"
    HEAD = "head"
    MERGE = "merge"
    PATHS = "paths"
    RENDER = "render"


class ErrorKind(enum.StrEnum):
    """Why a child could not do it; `nopea.git.problems` turns each into a Problem."""

    UNREACHABLE = "unreachable"
    RATE_LIMITED = "rate_limited"
    TIMEOUT = "timeout"
    AUTHENTICATION = "authentication"
    HOST_KEY = "host_key"
    CERTIFICATE = "certificate"
    REPOSITORY_MISSING = "repository_missing"
    REF_MISSING = "ref_missing"
    EMPTY = "empty"
    PATH_MISSING = "path_missing"
    REDIRECT = "redirect"
    ADDRESS = "address"
    PROTOCOL = "protocol"
    UNSUPPORTED = "unsupported"
    TOO_BIG = "too_big"
    DISK = "disk"
    # Said by the parent: the budget of disk is used up, or the file system nearly full.
    NO_ROOM = "no_room"
    MEMORY = "memory"
    # The mirror is missing, damaged or lacks the commit: the parent has it cloned again.
    MIRROR = "mirror"
    REFUSED = "refused"
    BUG = "bug"
    # Said by the parent itself: the child that had the operation is gone.
    DIED = "died"


class FrameError(ValueError):
    """The other side does not speak this protocol; the stream cannot be used any further."""


class FrameTooBigError(FrameError):
    """A frame's length is over the limit; nothing of it was read."""


def encode(message: dict[str, Any], *, limit: int = MAX_FRAME) -> bytes:
    """Return the message as one frame; raises FrameTooBigError over the limit (bytes of msgpack).

    Git allows any bytes in names. What is not UTF-8 is written as Python writes it, `caf\\udce9.yaml`, so
    that two names stay two.
    """
    body: bytes = msgpack.packb(message, use_bin_type=True, unicode_errors="backslashreplace")
    if len(body) > limit:
        raise FrameTooBigError(f"a frame of {len(body)} bytes is over the limit of {limit}")
    return len(body).to_bytes(_PREFIX, "big") + body


def check_answer(message: dict[str, Any]) -> None:
    """Raise FrameError if a message is not an answer; a child that was taken over could send anything."""
    error: Any = message.get("err")
    if error is None and "ok" in message:
        return
    if isinstance(error, dict) and isinstance(error.get("message"), str) and all(map(_is_text, error)):
        with contextlib.suppress(ValueError, KeyError):
            ErrorKind(error["kind"])
            return
    raise FrameError("a frame holds no answer")


def _is_text(key: object) -> bool:
    return isinstance(key, str)


class Decoder:
    """Turn a byte stream, cut anywhere, into messages; holds at most one frame beyond the fed bytes."""

    def __init__(self, *, limit: int = MAX_FRAME) -> None:
        self._limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """Yield the messages that are complete by now; raises FrameError where the stream becomes another."""
        self._buffer += data
        while (size := self._size()) is not None and len(self._buffer) >= _PREFIX + size:
            body = bytes(self._buffer[_PREFIX : _PREFIX + size])
            del self._buffer[: _PREFIX + size]
            yield _unpack(body)

    def _size(self) -> int | None:
        if len(self._buffer) < _PREFIX:
            return None
        size = int.from_bytes(self._buffer[:_PREFIX], "big")
        if size > self._limit:
            raise FrameTooBigError(f"a frame of {size} bytes is over the limit of {self._limit}")
        return size


def _unpack(body: bytes) -> dict[str, Any]:
    try:
        message = msgpack.unpackb(body, raw=False, strict_map_key=False)
    except (
        ValueError,
        TypeError,
        msgpack.UnpackException,
    ) as error:  # TypeError: a key that no dict can have
        raise FrameError("a frame does not hold msgpack") from error
    if not isinstance(message, dict) or not isinstance(message.get("id"), int):
        raise FrameError("a frame holds no message with an id")
    return message
