"""Split a stream of bytes into lines of any length up to a bound. Pure."""

from __future__ import annotations

from nopea.kube.errors import ApiFailure, ServerError

LINE_LIMIT = 16 * 1024 * 1024
"""Bytes of one watch event; etcd stores at most 1.5 MB for an object, JSON's escapes make that 9 MB."""


class LineSplitter:
    """Collects chunks and gives whole lines, without their newline; empty lines are dropped."""

    def __init__(self, *, limit: int = LINE_LIMIT) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take the next bytes and return the lines that they complete.

        Raises ServerError with reason LineTooBig when a line is longer than the limit.
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
