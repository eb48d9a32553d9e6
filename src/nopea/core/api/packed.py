"""Packed fields of the custom resources: records for programs, in one short string.

A list of records costs the API server as much to store as the objects that it is about, so they are msgpack,
compressed, in base64.
"""

from __future__ import annotations

import base64
import zlib
from typing import Any, TypeVar

import msgspec

_T = TypeVar("_T")
_MOST_BYTES = 4 * 1024 * 1024
"""Of one unpacked text; a thousand objects with the longest names need less."""


def pack(value: Any) -> str:
    """Return the value as text, equal for equal values."""
    return base64.b64encode(zlib.compress(msgspec.msgpack.encode(value), level=9)).decode()


def unpack(text: str, type_: type[_T]) -> _T:
    """Return the value in a text of `pack`; raises ValueError for any other text."""
    unpacker = zlib.decompressobj()
    try:
        packed = unpacker.decompress(base64.b64decode(text, validate=True), _MOST_BYTES)
        if not unpacker.eof:
            raise ValueError("the text is incomplete or too long")
        return msgspec.msgpack.decode(packed, type=type_)
    except (zlib.error, msgspec.MsgspecError) as error:
        raise ValueError(str(error)) from error
