"""Split a stream of bytes into lines of limited length. Pure."""

from __future__ import annotations

from nopea.kube.errors import ApiFailure, ServerError

LINE_LIMIT = 16 * 1024 * 1024
"""Bytes of one watch event: etcd stores at most 1.5 MB per object, which JSON's escapes can make 9 MB."""


class LineSplitter:
    """Takes chunks and returns complete lines, without their newline; it drops empty lines."""

    def __init__(self, *, limit: int = LINE_LIMIT) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take the next bytes and return the lines that they complete.

        Raises ServerError with reason LineTooBig for a line that exceeds the limit.
        """
        *whole, rest = chunk.split(b"\n")
        lines: list[bytes] = []
        if whole:
            lines.append(b"".join((*self._parts, whole[0])))
            lines.extend(whole[1:])
            self._parts, self._size = [], 0
        if rest:
            self._parts.append(rest)
            self._size += len(rest)
        if self._size > self._limit or any(len(line) > self._limit for line in lines):
            message = f"A line of the watch is longer than {self._limit} bytes."
            raise ServerError(ApiFailure(code=200, reason="LineTooBig", message=message))
        return [line for line in lines if line.strip()]
